#!/bin/sh
# Qwen2.5 0.5B on llama.cpp, a processor, light.
# Memory: 0.5 GB of weights + 4,096 tokens x 12 kB = 0.1 GB of KV cache.
# max_concurrent: 1 slot of 4,096 / 1 = 4,096 tokens each.
set -eu
test -e models/qwen2.5-0.5b-instruct-q4_k_m.gguf || { curl -fL --create-dirs -o models/qwen2.5-0.5b-instruct-q4_k_m.gguf.part https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF/resolve/main/qwen2.5-0.5b-instruct-q4_k_m.gguf && mv models/qwen2.5-0.5b-instruct-q4_k_m.gguf.part models/qwen2.5-0.5b-instruct-q4_k_m.gguf; }
exec llama-server \
  --model models/qwen2.5-0.5b-instruct-q4_k_m.gguf \
  --alias qwen2.5-0.5b \
  --jinja \
  --parallel 1 \
  --ctx-size 4096 \
  --metrics \
  --host 127.0.0.1 \
  --port 8081
