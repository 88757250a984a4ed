import { createRandom } from "../../packages/simulator/src/index.ts";
import type { Verdict } from "../lab/judge.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import { lanePolicy } from "../lab/lane-policy.ts";
import { breaks, type Plan, planOf } from "../lab/plan.ts";
import { talkOf } from "../lab/talk.ts";
import type { Measure } from "./measure.ts";

/** Models with a backend each, so that every lane has a breaker of its own. */
const LANES = 24;
/** Whole answers between two cuts of a lane: its breaker must not stand in the way of what is asked about. */
const GOOD_BETWEEN = 2;

const defaults = { timeouts: { connect: "2s", first_token: "200ms", idle: "200ms", total: "5s" }, attempts: 1 };

/** A reply that is cut at any byte before it has said that it is finished. */
function cutPlan(seed: number, number: number): Plan {
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ number);
  const plan = planOf({
    number,
    stream: random() < 0.5,
    tokens: 1 + Math.floor(random() * 30),
    toolCall: random() < 0.2,
    pieceBytes: 1 + Math.floor(random() ** 3 * 2000),
  });
  const bytes = Math.floor(random() * talkOf("a", plan).finishedAt);
  return { ...plan, acts: [{ do: "break", bytes, how: breaks[number % breaks.length]! }] };
}

/** What came of the cuts. */
interface Found {
  cut: number;
  reachedEngine: number;
  /** Of which the client got some tokens before the error. */
  delivered: number;
  falseSuccesses: number;
  /** Replies of which the client did not get every token that had left the engine whole. */
  lost: number;
  /** Replies between the cuts, which were whole, that did not come whole. */
  goodLost: number;
  readonly wrong: string[];
}

/** Replies that are cut off at a random byte, in five ways, streamed and whole. */
export const falseSuccesses: Measure = {
  title: "replies reported complete, of 10,000 that were cut off at a random byte",
  target: "0",
  async run({ size, seed }) {
    const cuts = size === "full" ? 10_000 : 200;
    await using lab = await openLab({ engines: ["a"], config: ({ a }) => lanePolicy(a, LANES, defaults) });
    const found: Found = { cut: 0, reachedEngine: 0, delivered: 0, falseSuccesses: 0, lost: 0, goodLost: 0, wrong: [] };
    const cutNext = (): Plan | undefined => (found.cut < cuts ? cutPlan(seed, found.cut++) : undefined);
    await Promise.all(Array.from({ length: LANES }, (_, lane) => runLane(lab, lane, found, cutNext)));
    const ok = found.falseSuccesses + found.lost === 0 && found.wrong.length === 0 && found.reachedEngine === cuts;
    return { value: found.falseSuccesses, ok, details: { ...found, wrong: found.wrong.slice(0, 20) } };
  },
};

/** Tokens that a client must have got of a stream that broke; a reset may take any of them along. */
function leastOf(plan: Plan): number {
  const [act] = plan.acts;
  if (act?.do !== "break" || act.how === "reset" || plan.toolCall) return 0;
  return talkOf("a", plan).tokenEnds.filter((end) => end <= act.bytes).length;
}

async function runLane(
  { lane: openLane, ask }: Lab<"a">,
  lane: number,
  found: Found,
  cutNext: () => Plan | undefined,
): Promise<void> {
  const client = openLane();
  const judged = async (plan: Plan): Promise<Verdict> => {
    const { verdict } = await ask(client, plan, { model: `m${lane}` });
    if (verdict.wrong !== undefined) found.wrong.push(`${verdict.wrong}; ${JSON.stringify(plan)}`);
    return verdict;
  };
  for (let plan = cutNext(); plan !== undefined; plan = cutNext()) {
    const { end, tokens } = await judged(plan);
    if (plan.visits.length > 0) found.reachedEngine++;
    if (tokens > 0) found.delivered++;
    if (end === "ok") found.falseSuccesses++;
    if (end === "broken" && tokens < leastOf(plan)) found.lost++;
    for (let good = 0; good < GOOD_BETWEEN; good++) {
      const whole = await judged(planOf({ number: 90_000_000 + lane, stream: good % 2 === 0 }));
      if (whole.end !== "ok") found.goodLost++;
    }
  }
}
