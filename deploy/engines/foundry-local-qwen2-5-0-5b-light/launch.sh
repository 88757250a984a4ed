#!/bin/sh
# Qwen2.5 0.5B on Foundry Local, light.
# The port changes at every start: with `url: auto` the gateway, on the same host, asks `foundry service status` for it.
# It takes the variant that fits the device: GPU, NPU or processor. One request at a time is worked on: max_concurrent is 1.
# `foundry model run qwen2.5-0.5b` loads the model too, and opens a chat. What context it has tells `foundry model info qwen2.5-0.5b`: give it as `context`.
set -eu
# Up to 0.9 it is a service, from 0.10 on a server.
foundry service start || foundry server start
foundry model download qwen2.5-0.5b
foundry model load qwen2.5-0.5b
