import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Simulator } from "../../packages/simulator/src/index.ts";
import { hashOf } from "./ready-gateway.ts";
import { canaries } from "./secret-canaries.ts";

/** Makes a client's certificate; where it is not on PATH, nothing is asked of a backend behind TLS. */
const openssl = "openssl";
const variable = (name: keyof typeof variables): string => `\${${name}}`;
/** What the policy's variables hold. */
export const variables = {
  CANARY_API_KEY: canaries.api_key.value,
  CANARY_HEADER: canaries.header.value,
  DATABASE_PASSWORD: canaries.variable.value,
};

/** Writes the files that the policy names. */
export function writeSecrets(folder: string): void {
  const put = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  put("api-key", `${canaries.api_key_file.value}\n`);
  put("admin-token", `${canaries.admin_token.value}\n`);
  put("viewer-token", `${canaries.viewer_token.value}\n`);
  put("redis-password", `${canaries.redis_password.value}\n`);
  put("sentinel-password", `${canaries.sentinel_password.value}\n`);
  put("short-token", canaries.admin_token.value.slice(-15));
  put("broken.key", `-----BEGIN PRIVATE KEY-----\n${canaries.tls_key.value}\n-----END PRIVATE KEY-----\n`);
  const [key, cert] = [join(folder, "client.key"), join(folder, "client.pem")];
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const words = ["req", "-x509", ...ec, "-subj", "/CN=client", "-keyout", key, "-out", cert];
  if (spawnSync(openssl, words, { stdio: "pipe" }).status !== 0) return;
  // A PEM file may hold text beside what it is there for.
  put("client.key", `${canaries.tls_key.value}\n${readFileSync(key, "utf8")}`);
}

interface Pool {
  readonly one: Pick<Simulator, "url">;
  readonly two: Pick<Simulator, "url">;
  readonly store: { readonly port: number };
}

/** A policy with a secret in each place that takes one; `log` decides between those that exclude each other. */
export function secretPolicy(folder: string, log: string, { one, two, store }: Pool): Record<string, unknown> {
  const file = (name: string) => join(folder, name);
  const deny = [{ tool: "note", when: { argument: "text", matches: "never" } }];
  return {
    server: {
      log,
      ...(log === "json"
        ? { admin_token_file: file("admin-token") }
        : {
            admin_tokens: [
              { name: "on-call", role: "operator", token_file: file("admin-token") },
              { name: "watch", role: "viewer", token_file: file("viewer-token") },
            ],
          }),
      audit_file: file(`audit-${log}`),
      capture: { file: file(`capture-${log}`), outcomes: ["failed", "repaired", "leaked", "coerced"] },
    },
    store: storeOf(folder, log, store.port),
    usage: { folder: file(`usage-${log}`) },
    backends: {
      one: {
        kind: "vllm",
        url: one.url,
        api_key: variable("CANARY_API_KEY"),
        headers: { "x-secret": variable("CANARY_HEADER") },
      },
      two: { kind: "openai", url: two.url, api_key_file: file("api-key") },
      ...(existsSync(file("client.key")) && { locked: lockedBackend(folder, two.url) }),
    },
    models: {
      m: { on: [{ backend: "one" }], fallback: ["n"], guard: { schema: "flag", undeclared: "flag", deny } },
      n: { on: [{ backend: "two" }], embeddings: true },
      ...(existsSync(file("client.key")) && { locked: { on: [{ backend: "locked" }] } }),
    },
    routing: [{ name: "by-prompt", when: { complexity: "simple" }, use: "m" }, { use: "n" }],
    teams: {
      all: { keys: [hashOf(canaries.team_key.value)], limits: { requests: "1k/min" } },
      silent: { keys: [hashOf(canaries.silent_key.value)], log: "none", limits: { requests: "1k/min" } },
      loud: {
        keys: [{ hash: hashOf(canaries.loud_key.value), name: "ci" }],
        log: "full",
        budget: { tokens: "1M/day" },
      },
    },
    defaults: { timeouts: { connect: "300ms", first_token: "400ms", idle: "400ms", total: "10s" } },
  };
}

/** Passwords for a server, or for Sentinels. */
function storeOf(folder: string, log: string, port: number): object {
  const common = { password_file: join(folder, "redis-password") };
  if (log === "json") return { ...common, url: `redis://127.0.0.1:${port}` };
  const sentinel_password_file = join(folder, "sentinel-password");
  return { ...common, sentinels: [`127.0.0.1:${port}`], name: "main", sentinel_password_file };
}

function lockedBackend(folder: string, url: string): object {
  const tls = { cert_file: join(folder, "client.pem"), key_file: join(folder, "client.key") };
  return { kind: "openai", url: url.replace("http:", "https:"), tls };
}
