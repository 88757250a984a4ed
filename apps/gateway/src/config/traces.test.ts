import { expect, test } from "vitest";
import { loadConfig } from "./load.ts";
import { formatError } from "./problems.ts";

const rest = `version: 1
backends: { a: { kind: vllm, url: "http://127.0.0.1:8000" } }
models: { large: { on: [{ backend: a, model: big }] } }
`;
const files: Readonly<Record<string, string>> = {
  headers: "# for the collector\nAuthorization: Bearer secret-1\n\nx-scope: team a\n",
  wrong: "authorization: one\nsecret without a colon\n",
  empty: "\n# nothing\n",
  "ca.pem": "-----BEGIN CERTIFICATE-----\n",
};

async function load(traces: string) {
  const readFile = async (path: string) => files[path.replace(/^.*\//, "")] ?? Promise.reject(new Error("none"));
  const text = `${rest}server: { traces: ${traces} }\n`;
  const result = await loadConfig(text, { env: {}, fileName: "signalbox.yaml", readFile });
  return result.ok ? { traces: result.config.server.traces!, errors: [] } : { errors: result.errors.map(formatError) };
}

test("an address alone is enough, and is completed", async () => {
  const { traces } = await load('{ endpoint: "http://collector:4318" }');
  expect(traces).toMatchObject({
    endpoint: "http://collector:4318/v1/traces",
    sample: 0.1,
    slowMs: Number.POSITIVE_INFINITY,
    followsClients: true,
    content: false,
    serviceName: "signalbox",
    timeoutMs: 5000,
    queue: 2000,
  });
  expect((await load('{ endpoint: "https://host/otlp/v1/traces" }')).traces?.endpoint).toBe(
    "https://host/otlp/v1/traces",
  );
});

test("headers come from a file, and a printed config does not show them", async () => {
  const { traces } = await load('{ endpoint: "https://host", headers_file: ./headers, tls: { ca_file: ca.pem } }');
  expect(traces?.headers()).toEqual({ authorization: "Bearer secret-1", "x-scope": "team a" });
  expect(traces?.tls()).toEqual({ ca: files["ca.pem"] });
  expect(JSON.stringify(traces)).not.toContain("secret-1");
});

test.each([
  ["{}", "server.traces.endpoint: "],
  ["{ endpoint: collector }", "server.traces.endpoint: expected the http:// or https:// address of a collector"],
  ['{ endpoint: "http://u:secret@host" }', "server.traces.endpoint: expected the http:// or https:// address"],
  ['{ endpoint: "http://host", sample: 0.1 }', "server.traces.sample: expected a percentage"],
  ['{ endpoint: "http://host", samples: 1% }', "did you mean «sample»?"],
  ['{ endpoint: "http://host", queue: 0 }', "server.traces.queue: expected a whole number"],
  ['{ endpoint: "http://host", headers_file: ./wrong }', "«./wrong» holds no `name: value` in line 2"],
  ['{ endpoint: "http://host", headers_file: ./empty }', "«./empty» holds no header"],
  ['{ endpoint: "http://host", tls: {} }', "server.traces.tls: is only read with an https:// address"],
  ['{ endpoint: "https://host", tls: { key_file: ca.pem } }', "goes with `cert_file`, which is missing"],
])("refuses traces: %s", async (text, message) => {
  const { errors } = await load(text);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain(message);
  expect(errors[0]).not.toContain("secret");
});
