#!/bin/sh
# Phi-3.5-mini on vLLM, 1 GPU of 80 GB, heavy.
# KV cache: 1 x 80 GB x 0.9 - 1 x 2 GB at work - 7.6 GB of weights = 62.4 GB, at 393.2 kB a token 158,691 tokens in all.
# max_concurrent: 158,691 / 2,048 tokens of a usual request = 77 requests at once.
# Its chat template has no place for tools: requests with tools go to another model.
# The first load takes some minutes, download included: no request is sent there until /health is 200.
# The engine asks for no key: let nobody but the gateway reach its port.
set -eu
exec vllm serve microsoft/Phi-3.5-mini-instruct \
  --max-model-len 16384 \
  --gpu-memory-utilization 0.9 \
  --max-num-seqs 77 \
  --enable-prefix-caching \
  --enable-chunked-prefill \
  --max-num-batched-tokens 8192 \
  --host 0.0.0.0 \
  --port 8000
