#!/bin/sh
# Qwen2.5-Coder 7B on llama.cpp, 1 GPU, balanced.
# Memory: 4.7 GB of weights + 32,768 tokens x 57 kB = 1.9 GB of KV cache.
# max_concurrent: 4 slots of 32,768 / 4 = 8,192 tokens each.
set -eu
test -e models/qwen2.5-coder-7b-instruct-q4_k_m.gguf || { curl -fL --create-dirs -o models/qwen2.5-coder-7b-instruct-q4_k_m.gguf.part https://huggingface.co/Qwen/Qwen2.5-Coder-7B-Instruct-GGUF/resolve/main/qwen2.5-coder-7b-instruct-q4_k_m.gguf && mv models/qwen2.5-coder-7b-instruct-q4_k_m.gguf.part models/qwen2.5-coder-7b-instruct-q4_k_m.gguf; }
exec llama-server \
  --model models/qwen2.5-coder-7b-instruct-q4_k_m.gguf \
  --alias qwen2.5-coder-7b \
  --jinja \
  --parallel 4 \
  --ctx-size 32768 \
  --gpu-layers 99 \
  --metrics \
  --host 127.0.0.1 \
  --port 8081
