#!/bin/sh
# MiniMax-M2 on SGLang, 4 GPUs of 96 GB, balanced.
# KV cache: 4 x 96 GB x 0.85 - 220 GB of weights = 106.4 GB, at 240 kB a token 443,333 tokens in all.
# max_concurrent: 443,333 / 16,384 tokens of a usual request = 27 requests at once.
# The first load can take over half an hour: no request is sent there until /health is 200.
# The engine asks for no key: let nobody but the gateway reach its port.
set -eu
exec python3 -m sglang.launch_server \
  --model-path MiniMaxAI/MiniMax-M2 \
  --tp-size 4 \
  --tool-call-parser minimax-m2 \
  --reasoning-parser minimax-append-think \
  --trust-remote-code \
  --mem-fraction-static 0.85 \
  --context-length 196608 \
  --max-running-requests 27 \
  --enable-metrics \
  --host 0.0.0.0 \
  --port 30000
