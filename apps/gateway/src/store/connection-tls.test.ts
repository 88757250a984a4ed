import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { RedisConfig } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { findFreePort } from "../demo/free-port.ts";
import {
  authority,
  createTestCertificates,
  hasOpenssl,
  leaf,
  skippedForOpenssl,
} from "../upstream/test-certificates.ts";
import { createConnection } from "./connection.ts";
import { startRedis } from "./test-redis.ts";

describe.skipIf(!hasOpenssl)(`Redis over TLS${skippedForOpenssl}`, () => {
  const certificates = createTestCertificates();
  const { folder } = certificates;

  beforeAll(() => {
    certificates.make("ca", authority);
    certificates.make("other-ca", authority);
    certificates.make("server", [...leaf, "subjectAltName=DNS:localhost"], "ca");
    certificates.make("client", leaf, "ca");
    mkdirSync(join(folder, "run"));
    writeFileSync(join(folder, "run", "password"), "over-the-wire\n");
  });
  afterAll(() => certificates.close());

  /** A server that takes connections over TLS alone, from clients with a certificate and the password. */
  async function startTlsRedis(): Promise<number> {
    const { port } = await findFreePort(0);
    const file = (name: string) => join(folder, name);
    const redis = await startRedis({
      args: [
        ...["--tls-port", String(port), "--tls-ca-cert-file", file("ca.pem"), "--requirepass", "over-the-wire"],
        ...["--tls-cert-file", file("server.pem"), "--tls-key-file", file("server.key")],
      ],
    });
    onTestFinished(() => redis.close());
    return port;
  }

  /** The config of a policy file with this store. */
  async function storeOf(store: string): Promise<RedisConfig> {
    const text = `version: 1\nstore: ${store}\nbackends: { a: { kind: vllm, url: "http://127.0.0.1:1" } }\nmodels: { m: { on: [{ backend: a }] } }\n`;
    const loaded = await loadConfig(text, { env: {}, fileName: join(folder, "signalbox.yaml") });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
    return loaded.config.store as RedisConfig;
  }

  async function answerOf(store: string): Promise<unknown> {
    const connection = createConnection(await storeOf(store));
    onTestFinished(() => connection.close());
    const asked = () => connection.command(["ping"]).catch(() => connection.trouble ?? "not yet");
    await expect.poll(asked, { timeout: 5000, interval: 20 }).not.toBe("not yet");
    return asked();
  }

  test("is reached with its authority, a certificate of ours and the password from a file", async () => {
    const port = await startTlsRedis();
    const tls = "tls: { ca_file: ca.pem, cert_file: client.pem, key_file: client.key }";
    expect(await answerOf(`{ url: "rediss://localhost:${port}", password_file: run/password, ${tls} }`)).toBe("PONG");
  });

  test("is not talked to when another authority signed it, and trouble says why without the password", async () => {
    const port = await startTlsRedis();
    const tls = "tls: { ca_file: other-ca.pem, cert_file: client.pem, key_file: client.key }";
    const trouble = await answerOf(`{ url: "rediss://localhost:${port}", password_file: run/password, ${tls} }`);
    expect(trouble).toMatch(new RegExp(`^localhost:${port}: .*(certificate|issuer)`));
    expect(trouble).not.toContain("over-the-wire");
  });

  test("is not reached under a name that its certificate has not", async () => {
    const port = await startTlsRedis();
    const tls = "tls: { ca_file: ca.pem, cert_file: client.pem, key_file: client.key }";
    expect(await answerOf(`{ url: "rediss://127.0.0.1:${port}", password_file: run/password, ${tls} }`)).toMatch(
      /127\.0\.0\.1/,
    );
  });
});
