import type { RawExchange } from "@signalbox/simulator";
import { describe, expect, onTestFinished, test } from "vitest";
import { statusTable } from "../cli/status.ts";
import { startTestGateway, type TestGateway } from "../end-to-end/test-gateway.ts";
import type { Status } from "../routes/status.ts";
import { until } from "./fault-pool.ts";
import { startRawUpstream } from "./raw-upstream.ts";

const whole = (text: string): string => {
  const message = { role: "assistant", content: text };
  return JSON.stringify({
    id: "1",
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: "stop" }],
  });
};
const respond = ({ socket }: RawExchange, status: string, body: string): void => {
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`;
  socket.write(`${head}\r\n\r\n${body}`);
};

/** How the model `sick` fails; `fit`, on the same server, answers. */
const faults: Readonly<Record<string, (exchange: RawExchange) => void>> = {
  "500": (exchange) => respond(exchange, "500 Internal Server Error", '{"error":{"message":"out of memory"}}'),
  "no JSON": (exchange) => respond(exchange, "200 OK", "<html>"),
  "a cut": ({ socket }) => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"id"');
  },
  silence: () => {},
};

async function startTwoModels(url: string, more = ""): Promise<TestGateway<never>> {
  const gateway = await startTestGateway<never>({ yaml: () => policy(url, more) });
  onTestFinished(() => gateway.close());
  // As if the probe had been good just now: what these servers answer to it is not the matter here.
  const { state } = gateway.gateway.serving.backends.get("host")!;
  state.observe({ status: "ready", reason: "probe" }, undefined, undefined);
  return gateway;
}

const policy = (url: string, more = "") => `
backends: { host: { kind: openai, url: "${url}" } }
models:
  fit: { on: [{ backend: host, model: engine/fit }] }
  sick: { on: [{ backend: host, model: engine/sick }] }
  ${more}
defaults:
  timeouts: { connect: 200ms, first_token: 20ms, idle: 200ms, total: 5s }
  probe: { interval: 60s, timeout: 200ms }
`;

const ask = async (gateway: TestGateway<never>, model: string) => {
  const response = await gateway.post("/v1/chat/completions", { model, messages: [{ role: "user", content: "hi" }] });
  const body = (await response.json()) as { error?: { message: string }; choices?: unknown };
  return { status: response.status, message: body.error?.message ?? "" };
};

const breakersOf = (gateway: TestGateway<never>): Record<string, string> => {
  const { deployments } = gateway.gateway.serving.backends.get("host")!.state;
  return Object.fromEntries([...deployments].map(({ model, breaker }) => [model, breaker]));
};

describe("two models on one backend, of which one fails", () => {
  test.each(Object.keys(faults))(
    "by %s: the other serves every request, and its breaker stays closed",
    async (name) => {
      const upstream = await startRawUpstream((exchange) => {
        if (exchange.request.includes('"engine/sick"')) faults[name]!(exchange);
        else respond(exchange, "200 OK", whole("well"));
      });
      const gateway = await startTwoModels(upstream.url);
      const seen = { fit: 0, sick: 0 };
      for (let round = 0; round < 12; round++) {
        const [fit, sick] = await Promise.all([ask(gateway, "fit"), ask(gateway, "sick")]);
        if (fit.status === 200) seen.fit++;
        if (sick.status !== 200) seen.sick++;
      }
      expect(seen).toEqual({ fit: 12, sick: 12 });
      expect(breakersOf(gateway)).toEqual({ "engine/fit": "closed", "engine/sick": "open" });
      expect(upstream.requests.filter((request) => request.includes("engine/sick")).length).toBeLessThanOrEqual(4);
      const metrics = await gateway.metrics();
      expect(metrics).toContain('signalbox_breaker_state{backend="host",model="engine/fit"} 0\n');
      expect(metrics).toContain('signalbox_breaker_state{backend="host",model="engine/sick"} 1\n');
      expect(metrics).toContain(
        'signalbox_breaker_transitions_total{backend="host",model="engine/sick",to="open"} 1\n',
      );
      expect(metrics).not.toMatch(/transitions_total\{backend="host",model="engine\/fit",[^}]*\} [1-9]/);
      const status = (await (await fetch(`${gateway.adminUrl}/status`)).json()) as Status;
      expect(status.backends[0]).toMatchObject({
        breaker: "open",
        override: null,
        deployments: [
          { model: "engine/fit", breaker: "closed", unfit: null, cooling_down_seconds: 0 },
          { model: "engine/sick", breaker: "open", unfit: "breaker_open", cooling_down_seconds: 0 },
        ],
      });
      expect(statusTable(status)).toMatch(/^host +openai +ready +engine\/fit closed; engine\/sick open +0 /m);
      expect((await ask(gateway, "sick")).message).toContain("host (breaker_open)");
    },
  );

  test("by 503 with retry-after: it pauses alone", async () => {
    const upstream = await startRawUpstream((exchange) => {
      if (!exchange.request.includes('"engine/sick"')) return respond(exchange, "200 OK", whole("well"));
      respond(exchange, "503 Service Unavailable\r\nretry-after: 60", '{"error":{"message":"loading"}}');
    });
    const gateway = await startTwoModels(upstream.url);
    for (let round = 0; round < 5; round++) {
      expect((await ask(gateway, "sick")).status).toBe(503);
      expect((await ask(gateway, "fit")).status).toBe(200);
    }
    expect(upstream.requests.filter((request) => request.includes("engine/sick"))).toHaveLength(1);
    expect(breakersOf(gateway)).toEqual({ "engine/fit": "closed", "engine/sick": "closed" });
  });
});

test("what a kind of backend does not offer is the request's matter: no breaker moves, and chat is served", async () => {
  const gateway = await startTestGateway({
    engines: { phi: { kind: "foundry_local", models: ["phi"] } },
    yaml: ({ phi }) => `
backends: { phi: { kind: foundry_local, url: "${phi}" } }
models: { phi: { on: [{ backend: phi }] } }
`,
  });
  onTestFinished(() => gateway.close());
  for (let round = 0; round < 5; round++) {
    const answer = await gateway.post("/v1/completions", { model: "phi", prompt: "hi" });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: "capability_not_supported" } });
  }
  expect(await gateway.metrics()).not.toMatch(/signalbox_breaker_transitions_total\{[^}]*\} [1-9]/);
  const chat = { model: "phi", messages: [{ role: "user", content: "hi" }] };
  expect((await gateway.post("/v1/chat/completions", chat)).status).toBe(200);
});

describe("an outage of the host", () => {
  test("opens the breakers of all its models after three failures in all, and probes it once a wait", async () => {
    // Nothing listens at port 1.
    const many = Array.from({ length: 8 }, (_, index) => `more-${index}: { on: [{ backend: host }] }`).join("\n  ");
    const gateway = await startTwoModels("http://127.0.0.1:1", many);
    const { state } = gateway.gateway.serving.backends.get("host")!;
    const names = ["fit", "sick", ...Array.from({ length: 8 }, (_, index) => `more-${index}`)];
    const tried = async (): Promise<number> => {
      const lines = (await gateway.metrics()).match(/^signalbox_attempts_total\{.*cause="connect"\} \d+$/gm) ?? [];
      return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    };
    for (const name of names) await ask(gateway, name);
    // Three that open, and the one forced try of a wait, since the probe still speaks for the host.
    expect(await tried()).toBe(3 + 1);
    expect(new Set(Object.values(breakersOf(gateway)))).toEqual(new Set(["open"]));
    expect(Object.keys(breakersOf(gateway))).toHaveLength(10);
    await until(() => state.breaker === "half_open", 4000, "the wait is over");
    await Promise.all(names.map((name) => ask(gateway, name)));
    expect(await tried()).toBeGreaterThanOrEqual(4 + 1);
    expect(await tried()).toBeLessThanOrEqual(4 + 1 + 1);
    expect(new Set(Object.values(breakersOf(gateway)))).toEqual(new Set(["open"]));
  });
});

describe("a reload", () => {
  test("that leaves the backend as it is keeps what was learned, and gives back what it no longer serves", async () => {
    const upstream = await startRawUpstream((exchange) => faults["500"]!(exchange));
    const gateway = await startTwoModels(upstream.url);
    for (let round = 0; round < 4; round++) await ask(gateway, "sick");
    expect(breakersOf(gateway)).toEqual({ "engine/fit": "closed", "engine/sick": "open" });
    await gateway.apply(policy(upstream.url, "third: { on: [{ backend: host, model: engine/third }] }"));
    expect(breakersOf(gateway)).toEqual({
      "engine/fit": "closed",
      "engine/sick": "open",
      "engine/third": "closed",
    });
    await gateway.apply(policy(upstream.url).replace(/^ {2}sick:.*$/m, ""));
    expect(breakersOf(gateway)).toEqual({ "engine/fit": "closed" });
    await gateway.apply(policy(upstream.url));
    expect(breakersOf(gateway)).toEqual({ "engine/fit": "closed", "engine/sick": "closed" });
  });

  test("shares one breaker between two names of the same model on the same backend", async () => {
    const upstream = await startRawUpstream((exchange) => faults["500"]!(exchange));
    const gateway = await startTwoModels(upstream.url, "other-name: { on: [{ backend: host, model: engine/sick }] }");
    for (let round = 0; round < 4; round++) await ask(gateway, "other-name");
    expect(breakersOf(gateway)).toEqual({ "engine/fit": "closed", "engine/sick": "open" });
    expect((await ask(gateway, "sick")).message).toContain("host (breaker_open)");
  });
});
