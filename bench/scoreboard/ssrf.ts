import { request } from "node:http";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { type AddressVector, addressVectors } from "../hostile/address-vectors.ts";
import { openCanary } from "../hostile/counting-listener.ts";
import { anyPorts, hashOf, type ServedGateway, serveGateway } from "../hostile/served-gateway.ts";
import type { Measure } from "./measure.ts";

const key = "sb-ssrf-7c1e5a9d3b2f4860";
const redirects = [301, 302, 303, 307, 308];
const proxies = [
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "NODE_USE_ENV_PROXY",
];

/** S22: whatever a client or an engine says, the gateway dials its engines and nobody else. */
export const ssrf: Measure = {
  name: "ssrf",
  title: "addresses named by clients, engines or proxy variables that were dialled",
  target: "0 hits of at least 40 vectors",
  async run() {
    const canary = await openCanary();
    const engine = await startSimulator({ kind: "vllm", models: ["m"] });
    const gateway = await serveGateway({
      yaml: policy(engine),
      env: Object.fromEntries(proxies.map((name) => [name, name === "NODE_USE_ENV_PROXY" ? "1" : canary.url])),
      node: ["--import", join(import.meta.dirname, "../hostile/dial-watch.ts")],
    });
    try {
      const vectors = addressVectors(canary.url);
      const faults = [...(await playVectors(gateway, vectors)), ...(await playRedirects(gateway, engine, canary.url))];
      const dials = dialsOf(gateway);
      const strangers = dials.filter((dial) => dial !== `dialled 127.0.0.1:${engine.port}`);
      const hits = Math.max(canary.connections, strangers.length);
      // Both watches see what there is to see.
      await (await fetch(canary.url)).text();
      if (dials.length === 0 || canary.connections === 0) faults.push("the watch is blind");
      const played = `${vectors.length} requests, ${redirects.length} redirects, ${proxies.length} variables`;
      const details = [`${played}; ${dials.length} connections to the engine`, ...new Set(strangers), ...faults];
      return { value: hits, unit: "hits", ok: hits === 0 && faults.length === 0 && vectors.length >= 40, details };
    } finally {
      await gateway[Symbol.asyncDispose]();
      await canary[Symbol.asyncDispose]();
      await engine.close();
    }
  },
};

/** Two backends on one engine, and schemas that are read: an address in a schema is one that a reader may fetch. */
function policy({ url }: Simulator): string {
  return `
server: { ${anyPorts} }
backends: { one: { kind: vllm, url: "${url}" }, two: { kind: openai, url: "${url}/v1" } }
models: { m: { on: [{ backend: one }, { backend: two }], strategy: round_robin, embeddings: true, guard: { schema: flag } } }
teams: { all: { keys: ["${hashOf(key)}"] } }
`;
}

const dialsOf = ({ stderr }: ServedGateway): string[] =>
  stderr.split("\n").filter((line) => /^(dialled|looked up) /.test(line));

async function playVectors(gateway: ServedGateway, vectors: readonly AddressVector[]): Promise<string[]> {
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
async function playRedirects(gateway: ServedGateway, engine: Simulator, location: string): Promise<string[]> {
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
