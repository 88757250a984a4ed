import type { Scene } from "../scenario.ts";
import { chatBody } from "../stage.ts";
import { ask, readAnswer } from "../wire-client.ts";

/** A team, its key and what the config says of the key. */
export interface Member {
  readonly key: string;
  readonly entry: object;
}

const SLOTS = 8;
const WAITING = 6;
const CLIENTS = 24;
const TOKENS_PER_SECOND = 400;
const REQUESTS = 20;

/** A team without limits of its own fills every slot and the queue: 429 for it alone, and hardly a wait for the others. */
export async function playSaturated({ start, checks, note }: Scene, flooder: Member, victims: readonly Member[]) {
  const others = Object.fromEntries(victims.map(({ entry }, i) => [`victim-${i}`, entry]));
  const stage = await start({
    config: { teams: { flooder: flooder.entry, ...others }, defaults: { queue: { max_waiting: WAITING } } },
    pools: [
      {
        primary: { tokensPerSecond: TOKENS_PER_SECOND },
        fallback: false,
        settings: { primary: { max_concurrent: SLOTS } },
      },
    ],
  });
  const { gateway, pool } = stage;
  const headersOf = ({ key }: Member) => ({ authorization: `Bearer ${key}` });
  const endings = new Map<string, number>();
  let isFlooding = true;
  const flood = Array.from({ length: CLIENTS }, async () => {
    while (isFlooding) {
      const answer = await ask(gateway.url, { body: chatBody("large", false), headers: headersOf(flooder) });
      const code = readAnswer(answer).error?.code;
      const ending = code === undefined ? String(answer.status) : `${answer.status} ${String(code)}`;
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
    }
  });
  const waits: number[] = [];
  await Promise.all(
    victims.map(async (victim) => {
      for (let i = 0; i < REQUESTS; i++) {
        const answer = await stage.chat(i % 2 === 0, { headers: headersOf(victim) });
        checks.is("client", "a victim's status in a saturated pool", answer.status, 200);
        waits.push(Math.max(0, Number(answer.headers["x-signalbox-queue-ms"] ?? 0) - answer.robbedMs));
      }
    }),
  );
  isFlooding = false;
  await Promise.all(flood);
  const worst = Math.max(...waits);
  note("victim_wait_ms", worst);
  // A reply takes 100 ms, and one of eight slots ends after an eighth of that.
  checks.within("client", "ms of the longest wait of a victim", worst, 0, 100 + stage.noiseMs);
  checks.is("client", "kinds of the flooder's answers", [...endings.keys()].sort(), ["200", "429 team_queue_full"]);
  checks.that("engines", "more at once than there are slots", Number(pool.primary.stats().peakRunning) <= SLOTS);
  const refused = endings.get("429 team_queue_full");
  const turnedAway = await stage.grown("signalbox_queue_turned_away_total", { reason: "team_backlog" });
  checks.is("metrics", "requests that were turned away", turnedAway, refused);
  checks.is(
    "metrics",
    "requests that wait at the end",
    (await gateway.scrape()).sum("signalbox_queue_waiting_requests"),
    0,
  );
}
