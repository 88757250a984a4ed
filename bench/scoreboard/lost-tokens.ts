import { createRandom } from "../../packages/simulator/src/index.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import { breaks, type Plan, planOf } from "../lab/plan.ts";
import { talkOf } from "../lab/talk.ts";
import type { Measure } from "./measure.ts";

/** Models of each sort with backends of their own, so that every lane has its own breakers. */
const LANES = 8;
/** Whole answers between two cuts of a lane: its breakers must not stand in the way of what is asked about. */
const GOOD_BETWEEN = 2;

/** How broken streams are recovered: continued, asked for anew, either, or not at all. */
const ways = {
  continued: { backend: { continue_final_message: true }, model: {} },
  restarted: { backend: {}, model: { restart_broken_streams: true } },
  either: { backend: { continue_final_message: true }, model: { restart_broken_streams: true } },
  told: { backend: {}, model: {} },
} as const;
type Way = keyof typeof ways;

const defaults = {
  timeouts: { connect: "2s", first_token: "200ms", idle: "200ms", total: "10s" },
  attempts: 3,
  retry_budget: "100%",
  probe: { interval: "60s" },
};

const lanes = Object.keys(ways).flatMap((way) =>
  Array.from({ length: LANES }, (_, number) => ({ way: way as Way, name: `${way}-${number}` })),
);

function policy({ a, b }: Readonly<Record<"a" | "b", string>>): Readonly<Record<string, unknown>> {
  const parts = lanes.map(({ way, name }) => {
    const backend = (url: string) => ({ kind: "vllm", url, ...ways[way].backend });
    const on = ["a", "b"].map((replica) => ({ backend: `${name}-${replica}`, model: "lab" }));
    return {
      backends: { [`${name}-a`]: backend(a), [`${name}-b`]: backend(b) },
      models: { [name]: { on, strategy: "ordered", tools: true, ...ways[way].model } },
    };
  });
  const all = (part: "backends" | "models") => Object.assign({}, ...parts.map((one) => one[part])) as object;
  return { backends: all("backends"), models: all("models"), defaults };
}

/** A stream of numbered tokens that is cut at any byte, and whose rest may be cut again. */
function cutPlan(seed: number, number: number): Plan {
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ number);
  const plan = planOf({
    number,
    tokens: 1 + Math.floor(random() * 40),
    toolCall: random() < 0.1,
    pieceBytes: 1 + Math.floor(random() ** 3 * 2000),
  });
  const { finishedAt } = talkOf("a", { ...plan, counts: true });
  const cut = (place: number) => {
    const how = breaks[Math.floor(random() * breaks.length + place) % breaks.length]!;
    return { do: "break", bytes: Math.floor(random() * finishedAt), how } as const;
  };
  const cuts = 1 + Math.floor(random() ** 2 * 3);
  return { ...plan, acts: Array.from({ length: cuts }, (_, place) => cut(place)) };
}

interface Found {
  cut: number;
  /** Of those with some tokens sent before the first cut: how they ended. */
  readonly ends: Record<Way, { ok: number; broken: number; failed: number }>;
  goodLost: number;
  readonly wrong: string[];
}

/** Streams of numbered tokens that break, with every way to recover them: what the client has is a beginning, told so, or all. */
export const lostTokens: Measure = {
  title: "replies with a lost or doubled token, or a false end, of 10,000 streams that were cut and recovered",
  target: "0",
  async run({ size, seed, say }) {
    const cuts = size === "full" ? 10_000 : 200;
    await using lab = await openLab({ engines: ["a", "b"], replicas: true, config: policy });
    const ends = Object.fromEntries(Object.keys(ways).map((way) => [way, { ok: 0, broken: 0, failed: 0 }]));
    const found: Found = { cut: 0, ends: ends as Found["ends"], goodLost: 0, wrong: [] };
    const cutNext = (): Plan | undefined => (found.cut < cuts ? cutPlan(seed, found.cut++) : undefined);
    await Promise.all(lanes.map((lane) => runLane(lab, lane, found, cutNext)));
    const scrape = await lab.gateway.scrape();
    const recoveries = Object.fromEntries(
      ["continuation", "restart"].flatMap((how) =>
        ["finished", "broken", "mismatched", "refused", "not_tried"].map((outcome) => [
          `${how} ${outcome}`,
          scrape.sum("signalbox_stream_recoveries_total", { how, outcome }),
        ]),
      ),
    );
    say(`ends: ${JSON.stringify(found.ends)}`);
    say(`recoveries: ${JSON.stringify(recoveries)}`);
    const shown = ["continuation finished", "restart finished"].every((name) => recoveries[name]! > 0);
    const ok = found.wrong.length === 0 && shown && found.ends.told.broken > 0;
    return {
      value: found.wrong.length,
      ok,
      details: { ...found, recoveries, wrong: found.wrong.slice(0, 20) },
    };
  },
};

async function runLane(
  { lane: openLane, ask }: Lab<"a" | "b">,
  { way, name }: (typeof lanes)[number],
  found: Found,
  cutNext: () => Plan | undefined,
): Promise<void> {
  const client = openLane();
  for (let plan = cutNext(); plan !== undefined; plan = cutNext()) {
    const { verdict } = await ask(client, plan, { model: name });
    if (verdict.wrong !== undefined) found.wrong.push(`${way}: ${verdict.wrong}; ${JSON.stringify(plan)}`);
    if (verdict.end !== "left") found.ends[way][verdict.end]++;
    for (let good = 0; good < GOOD_BETWEEN; good++) {
      const whole = await ask(client, planOf({ number: 90_000_000 + lanes.findIndex((lane) => lane.name === name) }), {
        model: name,
      });
      if (whole.verdict.end !== "ok") found.goodLost++;
      if (whole.verdict.wrong !== undefined) found.wrong.push(`whole: ${whole.verdict.wrong}`);
    }
  }
}
