/** What the end of a model id says: the runtime and the device that the variant is built for. */
const variantEnd =
  /-(?:generic|cuda|openvino|qnn|vitis|vitisai|directml|dml|webgpu|migraphx|(?:nv-?)?(?:tensorrt|trt)-?rtx|trtrtx)-(?:cpu|gpu|npu)$/;

/**
 * The names that people use for a Foundry Local model id, in lower case and without the id itself:
 * `Phi-4-mini-instruct-generic-gpu:5` is also `phi-4-mini-instruct-generic-gpu`, `phi-4-mini-instruct` and `phi-4-mini`.
 * The service answers to ids alone, so that an alias has to be turned into the id of a variant that is loaded.
 */
export function foundryAliases(id: string): readonly string[] {
  const lower = id.toLowerCase();
  const variant = lower.replace(/:\d{1,9}$/, "");
  const model = variant.replace(variantEnd, "");
  const short = model.replace(/-(?:instruct|chat)$/, "");
  return [...new Set([variant, model, short])].filter((alias) => alias !== id && alias !== "");
}
