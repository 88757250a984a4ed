#!/bin/sh
# MiniMax-M2 on vLLM, 4 GPUs of 96 GB, balanced.
# KV cache: 4 x 96 GB x 0.9 - 4 x 2 GB at work - 220 GB of weights = 117.6 GB, at 240 kB a token 490,000 tokens in all.
# max_concurrent: 490,000 / 16,384 tokens of a usual request = 29 requests at once.
# The first load can take over half an hour: no request is sent there until /health is 200.
# The engine asks for no key: let nobody but the gateway reach its port.
set -eu
export SAFETENSORS_FAST_GPU=1
exec vllm serve MiniMaxAI/MiniMax-M2 \
  --trust-remote-code \
  --tensor-parallel-size 4 \
  --max-model-len 196608 \
  --gpu-memory-utilization 0.9 \
  --max-num-seqs 29 \
  --enable-prefix-caching \
  --enable-chunked-prefill \
  --enable-auto-tool-choice \
  --tool-call-parser minimax_m2 \
  --reasoning-parser minimax_m2_append_think \
  --host 0.0.0.0 \
  --port 8000
