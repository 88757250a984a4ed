#!/bin/sh
# Qwen2.5-Coder 7B on vLLM, 1 GPU of 48 GB, balanced.
# KV cache: 1 x 48 GB x 0.85 - 1 x 2 GB at work - 15.2 GB of weights = 23.6 GB, at 57.3 kB a token 411,551 tokens in all.
# max_concurrent: 411,551 / 2,048 tokens of a usual request = 200 requests at once, of which 64 are let in.
# The first load takes some minutes, download included: no request is sent there until /health is 200.
# The engine asks for no key: let nobody but the gateway reach its port.
set -eu
exec vllm serve Qwen/Qwen2.5-Coder-7B-Instruct \
  --max-model-len 8192 \
  --gpu-memory-utilization 0.85 \
  --max-num-seqs 64 \
  --enable-prefix-caching \
  --enable-chunked-prefill \
  --enable-auto-tool-choice \
  --tool-call-parser hermes \
  --host 0.0.0.0 \
  --port 8000
