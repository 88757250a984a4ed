#!/bin/sh
# Phi-3.5-mini on vLLM, 1 GPU of 48 GB, balanced.
# KV cache: 1 x 48 GB x 0.85 - 1 x 2 GB at work - 7.6 GB of weights = 31.2 GB, at 393.2 kB a token 79,345 tokens in all.
# max_concurrent: 79,345 / 2,048 tokens of a usual request = 38 requests at once.
# Its chat template has no place for tools: requests with tools go to another model.
# The first load takes some minutes, download included: no request is sent there until /health is 200.
# The engine asks for no key: let nobody but the gateway reach its port.
set -eu
exec vllm serve microsoft/Phi-3.5-mini-instruct \
  --max-model-len 8192 \
  --gpu-memory-utilization 0.85 \
  --max-num-seqs 38 \
  --enable-prefix-caching \
  --enable-chunked-prefill \
  --host 0.0.0.0 \
  --port 8000
