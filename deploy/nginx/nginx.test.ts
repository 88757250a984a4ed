import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseDuration } from "../../apps/gateway/src/config/units.ts";
import { startTestGateway } from "../../apps/gateway/src/end-to-end/test-gateway.ts";
import {
  authority,
  createTestCertificates,
  hasOpenssl,
  skippedForOpenssl,
} from "../../apps/gateway/src/upstream/test-certificates.ts";
import { accepts, commandExists, freePort, waitFor } from "../../bench/processes.ts";
import { repository } from "../tools.ts";

const conf = readFileSync(`${repository}deploy/nginx/signalbox.conf`, "utf8");
const hasNginx = commandExists("nginx");
const why = hasNginx ? skippedForOpenssl : " (skipped: no nginx on PATH)";

test.skipIf(!hasNginx || !hasOpenssl)(
  `through nginx with TLS each token of a stream comes when it is written${why}`,
  async () => {
    const certificates = createTestCertificates();
    const { cert } = certificates.make("localhost", [...authority, "subjectAltName=DNS:localhost"]);
    const deltas = Array.from({ length: 20 }, (_, i) => `word ${i} `);
    const gateway = await startTestGateway({
      engines: { a: { kind: "vllm", models: ["m"], tokensPerSecond: 40, script: [{ reply: { deltas } }] } },
      yaml: ({ a }) =>
        `backends: { a: { kind: vllm, url: "${a}" } }\nmodels: { m: { on: [{ backend: a, model: m }] } }`,
    });
    const port = await freePort();
    const { folder } = certificates;
    const site = conf
      .replace("server 127.0.0.1:8080;", `server 127.0.0.1:${gateway.port};`)
      .replace("listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`)
      .replace("/etc/nginx/tls/tls.crt", join(folder, "localhost.pem"))
      .replace("/etc/nginx/tls/tls.key", join(folder, "localhost.key"));
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    );
    const main = `daemon off; pid ${folder}/nginx.pid; error_log stderr error; events {} http { access_log off; ${temporary.join(" ")}\n${site}}`;
    writeFileSync(join(folder, "nginx.conf"), main);
    const nginx = spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf")], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    try {
      await waitFor("nginx", nginx, () => accepts(port));
      const outgoing = request({
        ...{ host: "127.0.0.1", port, servername: "localhost", ca: cert, agent: false },
        ...{ method: "POST", path: "/v1/chat/completions", headers: { "content-type": "application/json" } },
      });
      outgoing.end(JSON.stringify({ model: "m", stream: true, messages: [{ role: "user", content: "hi" }] }));
      const [response] = await once(outgoing, "response");
      expect(response.statusCode).toBe(200);
      let text = "";
      let pieces = 0;
      for await (const chunk of response) {
        text += chunk;
        pieces++;
      }
      expect(text).toContain("word 19");
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
      // 20 tokens in half a second: a proxy that collects them hands on one or two pieces.
      expect(pieces).toBeGreaterThan(10);
    } finally {
      nginx.kill("SIGQUIT");
      await once(nginx, "exit");
      await gateway.close();
      certificates.close();
    }
  },
);

test("nginx waits longer than the longest request, and takes the largest body", () => {
  const seconds = Number(/proxy_read_timeout (\d+)s;/.exec(conf)?.[1]);
  expect(seconds * 1000).toBeGreaterThan(parseDuration("10m")!);
  expect(conf).toContain("client_max_body_size 32m;");
  const values = readFileSync(`${repository}deploy/helm/signalbox/values.yaml`, "utf8");
  expect(values).toContain(`proxy-read-timeout: "${seconds}"`);
  expect(values).toContain("proxy-body-size: 32m");
});
