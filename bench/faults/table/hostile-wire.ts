import { startSimulator } from "../../../packages/simulator/src/index.ts";
import { openRelay } from "../../hostile/counting-listener.ts";
import { playLawful, playRefused } from "../../hostile/play-corpus.ts";
import { hashOf } from "../../hostile/ready-gateway.ts";
import { corpusKey, corpusModel, head } from "../../hostile/request-parts.ts";
import { sendRaw } from "../../hostile/send-raw.ts";
import type { Scenario } from "../scenario.ts";
import { ask } from "../wire-client.ts";

const portOf = (url: string): number => Number(new URL(url).port);

/** F66: the corpus of S24, whose backend counts the bytes it is sent. */
const malformed: Scenario = {
  id: "F66",
  title: "smuggling, bad framing, line feeds, NUL, two keys, strange targets -> one 4xx each, no byte to an engine",
  async play({ start, checks }) {
    const engine = await startSimulator({ kind: "vllm", models: [corpusModel] });
    await using relay = await openRelay(engine.url);
    try {
      const { gateway } = await start({
        config: {
          server: { max_body: "256KiB" },
          backends: { relay: { kind: "vllm", url: relay.url } },
          models: { [corpusModel]: { on: [{ backend: "relay" }] } },
          teams: { all: { keys: [hashOf(corpusKey)] } },
        },
      });
      const upstreamRequests = () => engine.stats().inference as number;
      const target = { port: portOf(gateway.url), upstreamBytes: () => relay.bytes, upstreamRequests };
      const before = relay.bytes;
      checks.is("client", "what is not as it must be", await playRefused(target), []);
      checks.is("engines", "bytes", relay.bytes - before, 0);
      checks.is("client", "what is odd, yet HTTP, and not served", await playLawful(target), []);
      const after = await gateway.scrape();
      checks.is("metrics", "requests under way", after.sum("signalbox_in_flight_requests"), 0);
      checks.is("metrics", "faults of ours", after.sum("signalbox_requests_total", { status: "500" }), 0);
    } finally {
      await engine.close();
    }
  },
};

const floods: Readonly<Record<string, string[]>> = {
  "one of 20 KB": [`X-A: ${"a".repeat(20_000)}`],
  "sixteen of 1 KB": Array.from({ length: 17 }, (_, i) => `X-${i}: ${"a".repeat(1000)}`),
  "two thousand": Array.from({ length: 2000 }, () => "a:b"),
  "a hundred thousand": Array.from({ length: 100_000 }, (_, i) => `x-${i}: b`),
  "a name of 20 KB": [`${"x".repeat(20_000)}: b`],
  "cookies of 64 KB": [`Cookie: ${"a=b; ".repeat(13_000)}`],
};

/** F67: told, not just cut off. */
const headerFlood: Scenario = {
  id: "F67",
  title: "a flood of headers, or more than 16 KB of them -> 431, closed",
  async play({ start, checks }) {
    const stage = await start();
    const rss = stage.gateway.rss();
    for (const [what, lines] of Object.entries(floods)) {
      const bytes = head("POST /v1/chat/completions HTTP/1.1", "Host: x", ...lines);
      const { statuses, closed, ms } = await sendRaw(portOf(stage.gateway.url), bytes);
      const at = checks.at(what);
      at.is("client", "the statuses", statuses, [431]);
      at.that("client", "the connection stays open", closed);
      at.within("client", "the end in ms", ms, 0, 1000);
    }
    const good = await stage.chat(false, { headers: { "x-a": "a".repeat(10_000) } });
    checks.is("client", "the status of 10 KB of headers", good.status, 200);
    checks.is("engines", "requests", stage.pool.posts("primary"), 1);
    checks.is("metrics", "requests under way", (await stage.gateway.scrape()).sum("signalbox_in_flight_requests"), 0);
    checks.within("metrics", "MiB of memory kept", (stage.gateway.rss() - rss) / 2 ** 20, -1000, 64);
  },
};

/** Each value would show where it went. */
const spoofed: Readonly<Record<string, string>> = {
  connection: "keep-alive, x-hop",
  "x-hop": "canary-hop",
  "keep-alive": "timeout=canary",
  te: "trailers, canary",
  trailer: "canary",
  upgrade: "canary/1",
  "proxy-authorization": "Basic canary",
  "proxy-connection": "canary",
  authorization: "Bearer canary-key",
  "x-api-key": "canary-key",
  cookie: "canary=1",
  forwarded: "for=canary;host=canary",
  "x-forwarded-for": "203.0.113.7",
  "x-forwarded-host": "canary.example",
  "x-forwarded-proto": "canary",
  "x-forwarded-port": "canary",
  "x-forwarded-prefix": "/canary",
  "x-real-ip": "203.0.113.7",
  "true-client-ip": "203.0.113.7",
  "cf-connecting-ip": "203.0.113.7",
  via: "1.1 canary",
  "x-http-method-override": "CANARY",
  "x-original-url": "/canary",
  "x-rewrite-url": "/canary",
  "x-signalbox-team": "canary-team",
  "x-signalbox-backend": "fallback",
  "x-signalbox-model": "small",
  "x-signalbox-route": "canary",
  "x-signalbox-attempts": "canary",
  "x-ratelimit-limit-requests": "canary",
  "openai-organization": "canary",
  "openai-project": "canary",
  "x-stainless-lang": "canary",
  "accept-encoding": "gzip, br, canary",
  "user-agent": "canary-agent",
  host: "canary.example",
  "x-request-id": "mine-1",
};

/** F68: what reaches the engine is ours alone; one name may pass, the request's id. */
const spoofing: Scenario = {
  id: "F68",
  title: "headers of the hop, of proxies and of ours, spoofed -> none reaches an engine or decides anything",
  async play({ start, checks }) {
    const stage = await start({
      pools: [{ settings: { primary: { headers: { "x-own": "ours" } } } }],
    });
    for (const stream of [false, true]) {
      const answer = await stage.chat(stream, { headers: spoofed });
      const at = checks.at(stream ? "stream" : "whole");
      at.is("client", "the status", answer.status, 200);
      at.is("client", "x-signalbox-backend", answer.headers["x-signalbox-backend"], "primary");
      at.is("client", "x-signalbox-model", answer.headers["x-signalbox-model"], "large");
      at.is("client", "x-request-id", answer.headers["x-request-id"], "mine-1");
      at.that("client", "a header came back", !/canary/i.test(JSON.stringify(answer.headers)));
      const { headers = {} } = stage.pool.seen("primary").at(-1) ?? {};
      at.that("engines", `it got ${JSON.stringify(headers)}`, !/canary|203\.0\.113/i.test(JSON.stringify(headers)));
      at.is("engines", "accept-encoding", headers["accept-encoding"], "identity");
      const foreign = Object.keys(headers)
        .filter((name) => name.startsWith("x-"))
        .sort();
      at.is("engines", "names with x-", foreign, ["x-own", "x-request-id"]);
    }
    checks.is("engines", "requests to the fallback", stage.pool.posts("fallback"), 0);
    checks.is(
      "metrics",
      "answers",
      await stage.grown("signalbox_requests_total", { team: "default", model: "large" }),
      2,
    );
    const { text } = await stage.gateway.scrape();
    checks.that("metrics", "a spoofed value is in them", !/canary/i.test(text));
    checks.that("log", "a spoofed value is in it", !/canary/i.test(JSON.stringify(stage.gateway.lines)));
    const bad = await ask(stage.gateway.url, { body: {}, headers: { "x-request-id": "a b<script>" } });
    checks.that("client", "an id that is none came back", /^[\w-]{36}$/.test(bad.headers["x-request-id"] ?? ""));
  },
};

/** F66 to F68: what is wrong with a request before its body. */
export const hostileWire: readonly Scenario[] = [malformed, headerFlood, spoofing];
