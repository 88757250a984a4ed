import { startSimulator } from "../../packages/simulator/src/index.ts";
import { type CountingListener, openRelay } from "../hostile/counting-listener.ts";
import { malformedRequests } from "../hostile/malformed-requests.ts";
import { lawfulRequests, unfinishedRequests } from "../hostile/odd-requests.ts";
import { corpusKey, corpusModel, smuggled } from "../hostile/request-parts.ts";
import { type RawAnswer, sendRaw } from "../hostile/send-raw.ts";
import { anyPorts, hashOf, type ServedGateway, serveGateway } from "../hostile/served-gateway.ts";
import type { Measure } from "./measure.ts";

/** Of silence behind an answer: then nothing more will come. */
const QUIET_MS = 30;

interface Stage {
  readonly gateway: ServedGateway;
  readonly relay: CountingListener;
}

/** S24: the corpora of malformed, unfinished and odd HTTP, against a gateway whose one backend counts the bytes it is sent. */
export const malformedHttp: Measure = {
  name: "malformed-http",
  title: "smuggling and malformed HTTP: answered otherwise than with one 4xx, or heard of by a backend",
  target: `0 of ${malformedRequests.length} requests, 0 upstream bytes`,
  async run() {
    const engine = await startSimulator({ kind: "vllm", models: [corpusModel] });
    await using relay = await openRelay(engine.url);
    await using gateway = await serveGateway({
      // Probes are bytes too: the first ones were sent, and no others follow.
      yaml: `
server: { ${anyPorts}, max_body: 256KiB }
backends: { one: { kind: vllm, url: "${relay.url}", probe: { interval: 1h } } }
models: { ${corpusModel}: { on: [{ backend: one }] } }
teams: { all: { keys: ["${hashOf(corpusKey)}"] } }
`,
    });
    const before = relay.bytes;
    const faults = await playRefused({ gateway, relay });
    const upstream = relay.bytes - before;
    faults.push(...(await playLawful(gateway, () => engine.stats().inference as number)));
    await engine.close();
    if (!/^signalbox_in_flight_requests 0$/m.test(await gateway.metrics())) faults.push("requests stay under way");
    if (gateway.requestLines().some(({ status }) => status === 500)) faults.push("a request ended with 500");
    const played = `${malformedRequests.length} malformed, ${unfinishedRequests.length} unfinished, ${lawfulRequests.length} lawful`;
    const details = [`${played}; ${upstream} bytes reached the backend for those that are none`, ...faults];
    return { value: faults.length, unit: "requests", ok: faults.length === 0 && upstream === 0, details };
  },
};

/** What must reach nobody; alone, and with a good request behind it that must not be taken for one. */
async function playRefused({ gateway: { port }, relay }: Stage): Promise<string[]> {
  const faults: string[] = [];
  for (const { what, bytes, status } of malformedRequests) {
    const before = relay.bytes;
    const alone = await sendRaw(port, bytes, { quietMs: QUIET_MS });
    const allowed = status === undefined ? [400, 413, 431] : [status];
    if (alone.statuses.length !== 1 || !allowed.includes(alone.statuses[0]!)) faults.push(told(what, alone));
    else if (!alone.text.includes('"code":"')) faults.push(`${what}: no error that a client can read`);
    else if (alone.closed) {
      if (!/\r\nconnection: close\r\n/i.test(alone.text)) faults.push(`${what}: closed without saying so`);
      const behind = await sendRaw(port, Buffer.concat([bytes, Buffer.from(smuggled)]), { quietMs: QUIET_MS });
      if (behind.statuses.length !== 1) faults.push(told(`${what}, and a good request behind it`, behind));
    }
    if (relay.bytes !== before) faults.push(`${what}: ${relay.bytes - before} bytes reached the backend`);
  }
  for (const [what, bytes] of unfinishedRequests) {
    const answer = await sendRaw(port, bytes, { end: true });
    if (!answer.closed || answer.statuses.some((status) => status !== 400)) faults.push(told(what, answer));
  }
  return faults;
}

async function playLawful({ port }: ServedGateway, inferred: () => number): Promise<string[]> {
  const faults: string[] = [];
  for (const { what, bytes, statuses, upstream, closed } of lawfulRequests) {
    const before = inferred();
    const answer = await sendRaw(port, bytes, { quietMs: QUIET_MS * 2 });
    const seen = inferred() - before;
    if (answer.statuses.join() !== statuses.join() || seen !== upstream || answer.closed !== closed)
      faults.push(`${told(what, answer)}, ${seen} requests at the backend`);
  }
  return faults;
}

function told(what: string, { statuses, closed }: RawAnswer): string {
  return `${what}: ${statuses.length === 0 ? "no answer" : statuses.join(" and ")}, ${closed ? "closed" : "left open"}`;
}
