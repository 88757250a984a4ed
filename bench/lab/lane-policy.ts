/**
 * So many models `m0`, `m1`, ..., each with a backend of its own at the same engine: what one lane does to its breaker or its
 * pauses is nothing to the others.
 */
export function lanePolicy(url: string, lanes: number, defaults: object): Readonly<Record<string, unknown>> {
  const numbers = Array.from({ length: lanes }, (_, lane) => lane);
  return {
    backends: Object.fromEntries(numbers.map((lane) => [`b${lane}`, { kind: "vllm", url }])),
    models: Object.fromEntries(numbers.map((lane) => [`m${lane}`, { on: [{ backend: `b${lane}`, model: "lab" }] }])),
    defaults: { probe: { interval: "1h" }, ...defaults },
  };
}
