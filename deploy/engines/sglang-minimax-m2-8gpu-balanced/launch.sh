#!/bin/sh
# MiniMax-M2 on SGLang, 8 GPUs of 144 GB, balanced.
# KV cache: 8 x 144 GB x 0.85 - 220 GB of weights = 759.2 GB, at 240 kB a token 3,163,333 tokens in all.
# max_concurrent: 3,163,333 / 16,384 tokens of a usual request = 193 requests at once.
# The first load can take over half an hour: no request is sent there until /health is 200.
# The engine asks for no key: let nobody but the gateway reach its port.
set -eu
exec python3 -m sglang.launch_server \
  --model-path MiniMaxAI/MiniMax-M2 \
  --tp-size 8 \
  --ep-size 8 \
  --tool-call-parser minimax-m2 \
  --reasoning-parser minimax-append-think \
  --trust-remote-code \
  --mem-fraction-static 0.85 \
  --context-length 196608 \
  --max-running-requests 193 \
  --enable-metrics \
  --host 0.0.0.0 \
  --port 30000
