import { noAudit } from "../../apps/gateway/src/audit/audit-log.ts";
import { createAdminApp } from "../../apps/gateway/src/routes/admin-app.ts";
import { createPublicApp } from "../../apps/gateway/src/routes/public-app.ts";
import { createRequestLog } from "../../apps/gateway/src/signals/request-log.ts";
import { createFailureThrottle } from "../../apps/gateway/src/teams/failure-throttle.ts";
import { startSimulator } from "../../packages/simulator/src/index.ts";
import { hashOf, startReadyGateway } from "../hostile/ready-gateway.ts";
import { sendRaw } from "../hostile/send-raw.ts";
import type { Measure } from "./measure.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"];
const key = "sb-routes-5e8d1c7a2b904f36";

/** Headers of someone without a key of ours. */
const strangers: readonly (readonly string[])[] = [
  [],
  ["Authorization: Bearer"],
  ["Authorization: Bearer wrong"],
  ["Authorization: Basic c2I6c2I="],
  [`Authorization: Bearer ${hashOf(key)}`],
  ["x-api-key: wrong", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"],
  ["X-HTTP-Method-Override: GET", "X-Original-URL: /livez", "X-Rewrite-URL: /livez"],
  ["x-signalbox-team: all", "Cookie: key=wrong"],
];

/** A path, and other ways to write it or something near it. */
const variantsOf = (path: string): readonly string[] => [
  ...[path, `${path}/`, `/${path}`, `${path}?a=b`, `${path};a=b`, `${path}%00`, `${path}#a`, path.toUpperCase()],
  ...[`${path}%2f`, `/%${path.charCodeAt(1).toString(16)}${path.slice(2)}`, `/livez/..${path}`, `/livez/%2e%2e${path}`],
];

/** Every route of both listeners, asked of the public one without a key, by every method and in every spelling. */
export const routes: Measure = {
  title: "routes of the public listener that answer without a key",
  target: "1 (/livez)",
  async run() {
    const engine = await startSimulator({ kind: "vllm", models: ["m"] });
    await using gateway = await startReadyGateway({
      config: {
        backends: { one: { kind: "vllm", url: engine.url } },
        models: { m: { on: [{ backend: "one" }], embeddings: true } },
        teams: { all: { keys: [hashOf(key)] } },
      },
    });
    const served = new Set<string>();
    const faults: string[] = [];
    let asked = 0;
    for (const route of allRoutes()) {
      for (const path of variantsOf(route)) {
        for (const request of requestsFor(path)) {
          asked++;
          const { statuses, text } = await sendRaw(gateway.port, request);
          const status = statuses[0] ?? 0;
          if (status < 400) served.add(route);
          if (status < 200 || status > 499) faults.push(`${request.split("\r\n")[0]}: ${status}`);
          if (/"object":"|"choices"/.test(text)) faults.push(`${request.split("\r\n")[0]} shows something`);
        }
      }
    }
    const inferred = engine.stats().inference as number;
    await engine.close();
    if (inferred > 0) faults.push(`${inferred} requests reached the engine`);
    const ok = served.size === 1 && served.has("/livez") && faults.length === 0;
    return { value: served.size, ok, details: { routes: allRoutes(), asked, served: [...served], faults } };
  },
};

/** The paths that both apps have, as their own router knows them. */
function allRoutes(): string[] {
  const never = (): never => {
    throw new Error("nothing is served here");
  };
  const log = createRequestLog({ form: "silent" });
  const view = {
    serving: never,
    advisor: never,
    report: never,
    notReady: never,
    room: never,
    store: undefined,
    version: "",
    local: true,
    log,
  };
  const admin = createAdminApp({
    ...view,
    audit: noAudit,
    stored: undefined,
    throttle: createFailureThrottle({ now: () => 0 }),
  });
  const apps = [createPublicApp(never), admin];
  return [...new Set(apps.flatMap((app) => app.routes.map(({ path }) => path.replace(/:\w+(\{.*\})?/, "m"))))];
}

/** By every method without any headers, and by the two that routes have with all of them. */
function requestsFor(path: string): string[] {
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }], prompt: "hi", input: "hi" });
  const request = (method: string, lines: readonly string[]) =>
    `${[`${method} ${path} HTTP/1.1`, "Host: x", "Connection: close", `Content-Length: ${body.length}`, ...lines].join("\r\n")}\r\n\r\n${body}`;
  return [
    ...methods.map((method) => request(method, [])),
    ...strangers.slice(1).flatMap((lines) => [request("GET", lines), request("POST", lines)]),
  ];
}
