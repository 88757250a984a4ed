import { request } from "node:http";
import { type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { type AddressVector, addressVectors } from "../hostile/address-vectors.ts";
import { openCanary } from "../hostile/counting-listener.ts";
import { hashOf, type ReadyGateway, startReadyGateway } from "../hostile/ready-gateway.ts";
import type { Measure } from "./measure.ts";

const key = "sb-ssrf-7c1e5a9d3b2f4860";
const redirects = [301, 302, 303, 307, 308];
const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/** Whatever a client or an engine says, the gateway dials its engines and nobody else. */
export const ssrf: Measure = {
  title: "connections to addresses that clients, engines or proxy variables named",
  target: "0 of at least 40 vectors",
  async run() {
    await using canary = await openCanary();
    const engine = await startSimulator({ kind: "vllm", models: ["m"] });
    await using gateway = await startReadyGateway({
      config: policy(engine),
      env: { NODE_USE_ENV_PROXY: "1", ...Object.fromEntries(proxies.map((name) => [name, canary.url])) },
      nodeOptions: ["--import", import.meta.resolve("../hostile/dial-watch.ts")],
    });
    const vectors = addressVectors(canary.url);
    const faults = [...(await playVectors(gateway, vectors)), ...(await playRedirects(gateway, engine, canary.url))];
    await engine.close();
    const dials = dialsOf(gateway);
    const strangers = dials.filter((dial) => dial !== `dialled 127.0.0.1:${engine.port}`);
    const hits = Math.max(canary.connections, strangers.length);
    // Both watches see what there is to see.
    await (await fetch(canary.url)).text();
    if (dials.length === 0 || canary.connections === 0) faults.push("the watch is blind");
    const played = vectors.length + redirects.length + proxies.length;
    const ok = hits === 0 && faults.length === 0 && played >= 40;
    return { value: hits, ok, details: { vectors: played, dialsOfTheEngine: dials.length, strangers, faults } };
  },
};

/** Two backends on one engine, and schemas that are read: an address in a schema is one that a reader may fetch. */
function policy({ url }: Simulator): Record<string, unknown> {
  const guard = { schema: "flag" };
  return {
    backends: { one: { kind: "vllm", url }, two: { kind: "openai", url: `${url}/v1` } },
    models: {
      m: { on: [{ backend: "one" }, { backend: "two" }], strategy: "round_robin", embeddings: true, guard },
    },
    teams: { all: { keys: [hashOf(key)] } },
  };
}

const dialsOf = (gateway: ReadyGateway): string[] =>
  gateway
    .errors()
    .split("\n")
    .filter((line) => /^(dialled|looked up) /.test(line));

async function playVectors(gateway: ReadyGateway, vectors: readonly AddressVector[]): Promise<string[]> {
  const faults: string[] = [];
  for (const stream of [false, true]) {
    for (const { what, path, headers, body } of vectors) {
      const status = await post(gateway.port, path, { ...(body as object), stream }, headers);
      if (status < 200 || status > 499) faults.push(`${what}: ${status}`);
    }
  }
  return faults;
}

/** A redirect is no answer: 502, and nothing of where it points to. */
async function playRedirects(gateway: ReadyGateway, engine: Simulator, location: string): Promise<string[]> {
  const faults: string[] = [];
  for (const status of redirects) {
    engine.fault({ kind: "redirect", status, location, probes: true });
    const body = { model: "m", messages: [{ role: "user", content: "hi" }] };
    const answered = await post(gateway.port, "/v1/chat/completions", body);
    if (answered !== 502 && answered !== 503) faults.push(`a redirect with ${status}: ${answered}`);
    await engine.clearFaults();
  }
  return faults;
}

/** Sends JSON with any header, as fetch would not; resolves with the status, 0 when there is none. */
function post(port: number, path: string, body: object, headers: AddressVector["headers"] = {}): Promise<number> {
  const text = JSON.stringify(body);
  const own = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    authorization: `Bearer ${key}`,
  };
  return new Promise((resolve) => {
    const sent = request({ port, path, method: "POST", headers: { ...own, ...headers } }, (response) => {
      response.resume().on("close", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", () => resolve(0));
    sent.end(text);
  });
}
