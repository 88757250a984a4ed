#!/bin/sh
# Qwen2.5 0.5B on Ollama, a processor, balanced.
# 0.4 GB of weights, and 4 x 8,192 tokens of context: max_concurrent is OLLAMA_NUM_PARALLEL, so that requests wait in the gateway, where who waits is seen.
# A model that nobody asks for leaves memory after 30m; the request that loads it again has the limit cold_start.
# A prompt beyond the context is cut without a word: the policy's context keeps such requests away.
set -eu
export OLLAMA_HOST=127.0.0.1:11434
export OLLAMA_NUM_PARALLEL=4
export OLLAMA_CONTEXT_LENGTH=8192
export OLLAMA_KEEP_ALIVE=30m
export OLLAMA_MAX_LOADED_MODELS=1
ollama serve &
trap 'kill $!' INT TERM
until ollama list > /dev/null 2>&1; do sleep 1; done
ollama pull qwen2.5:0.5b
wait
