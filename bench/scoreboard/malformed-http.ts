import { startSimulator } from "../../packages/simulator/src/index.ts";
import { openRelay } from "../hostile/counting-listener.ts";
import { malformedRequests } from "../hostile/malformed-requests.ts";
import { playLawful, playRefused } from "../hostile/play-corpus.ts";
import { hashOf, startReadyGateway } from "../hostile/ready-gateway.ts";
import { corpusKey, corpusModel } from "../hostile/request-parts.ts";
import type { Measure } from "./measure.ts";

/** The corpora of malformed, unfinished and odd HTTP, against a gateway whose one backend counts the bytes it is sent. */
export const malformedHttp: Measure = {
  title: `of ${malformedRequests.length} malformed and smuggling requests, those not answered with one 4xx or heard of by a backend`,
  target: "0, 0 upstream bytes",
  async run() {
    const engine = await startSimulator({ kind: "vllm", models: [corpusModel] });
    await using relay = await openRelay(engine.url);
    await using gateway = await startReadyGateway({
      config: {
        server: { max_body: "256KiB" },
        // Probes are bytes too: the first ones were sent, and no others follow.
        backends: { one: { kind: "vllm", url: relay.url, probe: { interval: "1h" } } },
        models: { [corpusModel]: { on: [{ backend: "one" }] } },
        teams: { all: { keys: [hashOf(corpusKey)] } },
      },
    });
    const target = {
      port: gateway.port,
      upstreamBytes: () => relay.bytes,
      upstreamRequests: () => engine.stats().inference as number,
    };
    const before = relay.bytes;
    const refused = await playRefused(target);
    const upstreamBytes = relay.bytes - before;
    const lawful = await playLawful(target);
    await engine.close();
    const inFlight = (await gateway.scrape()).sum("signalbox_in_flight_requests");
    const crashes = gateway.requestLines().filter(({ status }) => status === 500).length;
    const ok = refused.length + lawful.length + upstreamBytes + inFlight + crashes === 0;
    return { value: refused.length, ok, details: { upstreamBytes, inFlight, crashes, refused, lawful } };
  },
};
