type Random = () => number;

/** What becomes of a request, as the engine does it and the client sees it. */
export type Act = "whole" | "stream" | "leave" | "cut" | "fail" | "fail_once";

/** One request, told to the engine in its prompt. */
export interface Errand {
  readonly act: Act;
  /** What the engine counts for the prompt. */
  readonly input: number;
  /** What it counts for a whole reply, which has one piece for each token when it is streamed. */
  readonly output: number;
  /** Pieces after which the client leaves or the reply breaks. */
  readonly after: number;
}

// Failures are few, so that they seldom come three in a row: a breaker would refuse days of traffic then.
const shares: readonly (readonly [Act, number])[] = [
  ["whole", 0.47],
  ["stream", 0.415],
  ["leave", 0.1],
  ["cut", 0.008],
  ["fail_once", 0.005],
  ["fail", 0.002],
];

/** A request of the mix. */
export function errandOf(random: Random): Errand {
  let rest = random();
  const act = shares.find(([, share]) => {
    rest -= share;
    return rest < 0;
  });
  const output = 2 + Math.floor(random() * 40);
  const input = 1 + Math.floor(random() * 4000);
  return { act: act?.[0] ?? "whole", input, output, after: 1 + Math.floor(random() * (output - 1)) };
}

/** What the engine will have counted when it is over. */
export function costsOf({ act, input, output, after }: Errand): { readonly input: number; readonly output: number } {
  if (act === "fail") return { input: 0, output: 0 };
  return { input, output: act === "leave" || act === "cut" ? after : output };
}
