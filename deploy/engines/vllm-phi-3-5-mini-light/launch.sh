#!/bin/sh
# Phi-3.5-mini on vLLM, 1 GPU of 24 GB, light.
# KV cache: 1 x 24 GB x 0.8 - 1 x 2 GB at work - 7.6 GB of weights = 9.6 GB, at 393.2 kB a token 24,414 tokens in all.
# max_concurrent: 24,414 / 2,048 tokens of a usual request = 11 requests at once.
# Its chat template has no place for tools: requests with tools go to another model.
# The first load takes some minutes, download included: no request is sent there until /health is 200.
# The engine asks for no key: let nobody but the gateway reach its port.
set -eu
exec vllm serve microsoft/Phi-3.5-mini-instruct \
  --max-model-len 4096 \
  --gpu-memory-utilization 0.8 \
  --max-num-seqs 11 \
  --host 0.0.0.0 \
  --port 8000
