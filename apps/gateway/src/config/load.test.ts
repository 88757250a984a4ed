import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type LoadOptions, loadConfig, maxConfigBytes } from "./load.ts";
import { formatError } from "./problems.ts";

const hash = (digit: string) => `sha256:${digit.repeat(64)}`;
const minimal = `version: 1
backends:
  a: { kind: vllm, url: "http://127.0.0.1:8000" }
models:
  large: { on: [{ backend: a, model: m }] }
`;

async function load(text: string, options: Partial<LoadOptions> = {}) {
  const result = await loadConfig(text, { env: {}, fileName: "signalbox.yaml", ...options });
  return result.ok
    ? { config: result.config, errors: [] }
    : { config: undefined, errors: result.errors.map(formatError) };
}

async function configOf(text: string, options: Partial<LoadOptions> = {}) {
  const { config, errors } = await load(text, options);
  expect(errors).toEqual([]);
  return config!;
}

test("fills in every default and gives numbers for units", async () => {
  const config = await configOf(minimal);
  expect(config.server).toEqual({
    listen: { host: "127.0.0.1", port: 8080 },
    admin: { host: "127.0.0.1", port: 9090 },
    adminTokens: expect.any(Function),
    guardsReading: false,
    maxBodyBytes: 32 * 1024 * 1024,
    maxJsonDepth: 128,
    maxJsonKeys: 100_000,
    timeouts: { readHeaderMs: 10_000, readBodyMs: 60_000, writeMs: 30_000, idleMs: 65_000 },
    minBodyRate: 500,
    shedLagMs: 200,
    drainDelayMs: 5000,
    drainMs: 30_000,
    metricTeams: 100,
    log: "json",
  });
  expect(config.timeouts).toEqual({
    connectMs: 2000,
    firstTokenMs: 30_000,
    idleMs: 15_000,
    totalMs: 600_000,
    coldStartMs: 600_000,
  });
  expect(config).toMatchObject({ attempts: 3, retryBudget: 0.2, store: "memory", teams: undefined });
  expect(config.policy.thresholds).toEqual({ moderate: 0.35, complex: 0.65 });
  expect(config.backends.get("a")).toMatchObject({
    kind: "vllm",
    url: "http://127.0.0.1:8000",
    maxConcurrent: Number.POSITIVE_INFINITY,
  });
});

test("compiles models, rules and teams for the router and the server", async () => {
  const config = await configOf(`${minimal}  small:
    on: [{ backend: a }]
    aliases: [gpt-4o-mini]
    context: 32k
    fallback: [large]
    hedge: { after: 500ms }
    remember_reasoning: 1h
    defaults: { temperature: 1, stop: [a, b] }
routing:
  - { name: agents, when: { has_tools: true, complexity: ">= moderate", header.x-tier: gold, not: { tokens: 512 } }, use: large }
  - { use: gpt-4o-mini }
teams:
  search: { keys: ["${hash("A")}"], models: [auto, gpt-4o-mini], limits: { requests: 600/min, tokens: 200k/min, concurrent: 16 } }
`);
  expect(config.policy.models.get("small")).toEqual({
    name: "small",
    aliases: ["gpt-4o-mini"],
    deployments: [
      {
        id: "a/small",
        backend: "a",
        model: "small",
        weight: 1,
        dialect: "auto",
        reasoningFirst: false,
        toolParser: "engine",
        reasoningHistory: "reasoning",
        continuesReplies: false,
        hosted: false,
      },
    ],
    strategy: "least_busy",
    context: 32_000,
    capabilities: { tools: undefined, images: undefined, json_schema: undefined, embeddings: undefined },
    fallback: ["large"],
    rememberReasoningMs: 3_600_000,
    hedgeAfterMs: 500,
    restartsStreams: false,
    recoversStreams: false,
    defaults: { temperature: "1", stop: '["a","b"]' },
  });
  expect(config.policy.rules).toEqual([
    {
      label: "agents",
      use: "large",
      when: {
        has_tools: true,
        complexity: { op: ">=", value: "moderate" },
        header: { "x-tier": ["gold"] },
        not: { tokens: { op: "==", value: 512 } },
      },
    },
    { label: "routing.1", use: "small", when: {} },
  ]);
  expect(config.teams?.get("search")).toEqual({
    name: "search",
    keys: [{ hash: hash("a"), id: "aaaaaaaa", name: undefined, expiresAt: Number.POSITIVE_INFINITY }],
    models: new Set(["auto", "small"]),
    limits: {
      requests: [{ limit: 600, windowMs: 60_000 }],
      tokens: [{ limit: 200_000, windowMs: 60_000 }],
      concurrent: 16,
    },
    budgets: [],
    priority: "standard",
    weight: 1,
    holder: { name: "search", weight: 4 },
  });
});

test("prices and budgets are whole numbers of their smallest units, and one budget is a list of one", async () => {
  const { config } = await load(`version: 1
backends:
  a: { kind: vllm, url: "http://127.0.0.1:8000", gpus: 0.5 }
models:
  large: { on: [{ backend: a }], cost: { input: 0.2/M, output: 1.1/M } }
  tiny: { on: [{ backend: a }], cost: { input: 0.0000001/k } }
usage: { folder: usage }
teams:
  search: { keys: ["${hash("A")}"], budget: { tokens: 50M/month, cost: [300/month, 12.50/day], gpu_seconds: 36k/week } }
`);
  expect(config?.backends.get("a")?.gpus).toBe(0.5);
  expect(Object.fromEntries(config?.prices ?? [])).toEqual({
    large: { input: { nano: 200, rest: 0 }, output: { nano: 1100, rest: 0 } },
    tiny: { input: { nano: 0, rest: 100_000 }, output: { nano: 0, rest: 0 } },
  });
  expect(config?.teams?.get("search")?.budgets).toEqual([
    { meter: "tokens", every: "month", limit: 50_000_000 },
    { meter: "cost", every: "month", limit: 300e9 },
    { meter: "cost", every: "day", limit: 12.5e9 },
    { meter: "gpu_seconds", every: "week", limit: 36_000_000 },
  ]);
  expect(config?.usage.folder).toMatch(/\/usage$/);
  expect(config?.usage.keepDays).toBe(92);
});

test("reports every error of a file, by its place", async () => {
  const { errors } = await load(`version: 1
backends:
  a: { kind: vllm, url: "http://127.0.0.1:8000", max_concurent: 3 }
models:
  large: { on: [{ backend: b }], strategy: least_bussy, tools: yes }
routing:
  - { when: { complexity: ">= medium" }, use: larg }
defaults: { timeouts: { idle: 15 } }
`);
  expect(errors.map((error) => error.replace(/ \((allowed|defined).*$/, ""))).toEqual([
    "signalbox.yaml:3:50: backends.a.max_concurent: unknown key «max_concurent»; did you mean «max_concurrent»?",
    "signalbox.yaml:5:28: models.large.on[0].backend: unknown backend «b»; did you mean «a»?",
    "signalbox.yaml:5:44: models.large.strategy: «least_bussy» is not one of round_robin, least_busy, two_choices, weighted, ordered; did you mean «least_busy»?",
    "signalbox.yaml:5:64: models.large.tools: expected true or false, not «yes»; did you mean «true»?",
    "signalbox.yaml:7:27: routing[0].when.complexity: expected simple, moderate, complex, or one of them after <, <=, ==, >= or >, not «>= medium»; did you mean «moderate»?",
    "signalbox.yaml:7:47: routing[0].use: unknown model «larg»; did you mean «large»?",
    "signalbox.yaml:8:31: defaults.timeouts.idle: expected a duration such as 500ms, 30s, 10m or 2h, not «15»; did you mean «15s»?",
  ]);
});

test("shows no password of an address, and no secret that was put where its file belongs", async () => {
  const store = await load(`${minimal}store: "redis://user:hunter2-hunter2@cache:6379"\n`);
  expect(store.errors[0]).toContain("store: a secret stands in the file");
  const file = await load(minimal.replace("kind: vllm", "kind: vllm, api_key_file: hunter2-hunter2"));
  expect(file.errors[0]).toContain("the file that it names does not exist");
  expect([...store.errors, ...file.errors].join()).not.toContain("hunter2");
});

test("expands variables as text, and never into the file's structure", async () => {
  const text = minimal.replace('kind: vllm, url: "http://127.0.0.1:8000"', () => {
    return `kind: vllm, url: "\${URL:-http://127.0.0.1:9}", max_concurrent: "\${SLOTS:-7}", headers: { x-pool: "\${POOL}, $\${x}" }`;
  });
  const config = await configOf(text, { env: { POOL: "a, kind: sglang }", SLOTS: "" } });
  const backend = config.backends.get("a")!;
  expect(backend).toMatchObject({ kind: "vllm", url: "http://127.0.0.1:9", maxConcurrent: 7 });
  expect(backend.headers()).toEqual({ "x-pool": `a, kind: sglang }, \${x}` });
});

test("names a variable that is not set, and never shows what one holds", async () => {
  const { errors } = await load(
    minimal.replace("kind: vllm", `kind: "\${KIND}", api_key: "\${KEY}"`).replace("large:", '"lar ge":'),
    {
      env: { KIND: "top-secret" },
    },
  );
  expect(errors.join("\n")).toContain("the environment variable KEY is not set");
  expect(errors.join("\n")).toContain(`«\${KIND}» is not one of`);
  expect(errors.join("\n")).not.toContain("top-secret");
});

test("takes the admin token from a file, and shows it nowhere", async () => {
  const text = `version: 1
server: { admin: 0.0.0.0:9090, admin_token_file: token.txt }
backends: { a: { kind: vllm, url: "http://a" } }
models: { m: { on: [{ backend: a }] } }
`;
  const fileName = "/etc/signalbox/signalbox.yaml";
  const from = (content: string) => ({ fileName, readFile: async () => content });
  const config = await configOf(text, from("sixteen-letters!\n"));
  const hash = createHash("sha256").update("sixteen-letters!").digest();
  expect(config.server.adminTokens()).toEqual([{ name: "admin", role: "admin", hash }]);
  expect(config.files).toEqual(["/etc/signalbox/token.txt"]);
  expect(JSON.stringify(config.server)).not.toContain("sixteen");
  expect((await configOf(text, from("another-of-16-ch"))).hash).not.toBe(config.hash);
  const where = `${fileName}:2:50: server.admin_token_file: «token.txt»`;
  expect((await load(text, from("fifteen-letters"))).errors).toEqual([
    `${where} holds a token of 15 characters: at least 16 are wanted`,
  ]);
  expect((await load(text, from("\n"))).errors).toEqual([`${where} is empty`]);
  expect((await configOf(text.replace(", admin_token_file: token.txt", ""))).server.adminTokens()).toEqual([]);
});

test("takes a backend's key from a variable or a file, and shows it nowhere", async () => {
  const files: Record<string, string> = { "/etc/signalbox/key.txt": "file-key\n" };
  const readFile = async (path: string) =>
    files[path] ?? Promise.reject(Object.assign(new Error("no"), { code: "ENOENT" }));
  const fileName = "/etc/signalbox/signalbox.yaml";
  const text = `version: 1
backends:
  a: { kind: vllm, url: "https://a", api_key: "\${KEY}" }
  b: { kind: vllm, url: "https://b/v1/", api_key_file: key.txt }
models: { m: { on: [{ backend: a }, { backend: b }] } }
`;
  const config = await configOf(text, { env: { KEY: "env-key" }, readFile, fileName });
  expect(config.backends.get("a")?.headers()).toEqual({ authorization: "Bearer env-key" });
  expect(config.backends.get("b")?.headers()).toEqual({ authorization: "Bearer file-key" });
  expect(config.backends.get("b")?.url).toBe("https://b");
  expect(JSON.stringify([...config.backends.values()])).not.toMatch(/env-key|file-key/);
  files["/etc/signalbox/key.txt"] = "another";
  const turned = await configOf(text, { env: { KEY: "env-key" }, readFile, fileName });
  expect(turned.hash).not.toBe(config.hash);
  const { errors } = await load(text.replace("key.txt", "kay.txt"), { env: { KEY: "k" }, readFile, fileName });
  expect(errors).toEqual(["/etc/signalbox/signalbox.yaml:4:56: backends.b.api_key_file: «kay.txt» does not exist"]);
});

test("finds the file of captured replies from the folder of the config", async () => {
  const text = `${minimal}server: { capture: { file: failed.jsonl, outcomes: [failed, leaked] } }\n`;
  const config = await configOf(text, { fileName: "/etc/signalbox/signalbox.yaml" });
  expect(config.server.capture).toEqual({
    file: "/etc/signalbox/failed.jsonl",
    maxBytes: 10 * 1024 * 1024,
    outcomes: ["failed", "leaked"],
  });
  const { errors } = await load(text.replace("failed, leaked", "fialed"));
  expect(errors).toEqual([expect.stringContaining("did you mean «failed»?")]);
});

test.each([
  ["api_key: sk-live-1234567890", "api_key"],
  [`api_key: "\${KEY:-sk-live-1234567890}"`, "api_key"],
  ["headers: { x-api-key: sk-live-1234567890 }", "headers.x-api-key"],
])("refuses a secret written into the file: %s", async (entry, where) => {
  const { errors } = await load(minimal.replace("kind: vllm", `kind: vllm, ${entry}`));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain(`backends.a.${where}: a secret stands in the file`);
  expect(errors[0]).not.toContain("1234567890");
});

test("refuses a team's key that is not hashed, without repeating it", async () => {
  const key = `sb-${"x".repeat(43)}`;
  const { errors } = await load(`${minimal}teams: { a: { keys: [${key}] } }\n`);
  expect(errors[0]).toContain("signalbox.yaml:6:22: teams.a.keys[0]: a secret stands in the file");
  expect(errors.join()).not.toContain(key);
});

test("refuses one key for two teams", async () => {
  const { errors } = await load(`${minimal}teams: { a: { keys: ["${hash("1")}"] }, b: { keys: ["${hash("1")}"] } }\n`);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain("teams.b.keys[0]: this key's hash is a key of the team «a» too");
});

test("takes a team's key with a name and an end", async () => {
  const entry = `{ hash: "${hash("1")}", name: ci, expires: 2027-01-31 }`;
  const config = await configOf(`${minimal}teams: { a: { keys: [${entry}, "${hash("2")}"] } }\n`);
  expect(config.teams?.get("a")?.keys).toEqual([
    { hash: hash("1"), id: "ci", name: "ci", expiresAt: Date.UTC(2027, 0, 31) },
    { hash: hash("2"), id: "22222222", name: undefined, expiresAt: Number.POSITIVE_INFINITY },
  ]);
});

test.each([
  [
    `{ hash: "${hash("1")}", name: ci }, { hash: "${hash("2")}", name: ci }`,
    "[1].name: keys[0] is known by «ci» already",
  ],
  [`"${hash("1")}", { hash: "${hash("2")}", name: "11111111" }`, "[1].name: keys[0] is known by «11111111» already"],
  [`{ hash: "${hash("1")}", name: a b }`, "[0].name: a key's name has"],
  [`{ hash: "${hash("1")}", expires: 31.1.2027 }`, "[0].expires: expected a date such as 2027-01-31"],
  [`{ hash: "${hash("1")}", expire: 2027-01-31 }`, "[0].expire: unknown key «expire»; did you mean «expires»?"],
  ["{ hash: sb-secret }", "[0].hash: a secret stands in the file"],
  ["{ name: ci }", "[0].hash: "],
  ["[]", "[0]: expected `sha256:` and 64 hex digits, or { hash, name, expires }"],
])("refuses the keys %s", async (keys, says) => {
  const { errors } = await load(`${minimal}teams: { a: { keys: [${keys}] } }\n`);
  expect(errors.join("\n")).toContain(`teams.a.keys${says}`);
});

test("an open gateway listens on this machine alone", async () => {
  for (const listen of ["127.0.0.1:0", "127.8.8.8:1", "localhost:80", "'[::1]:80'"]) {
    await configOf(`${minimal}server: { listen: ${listen} }\n`);
  }
  for (const listen of ["0.0.0.0:8080", "'[::]:8080'", "10.0.0.1:8080", "gpu-1:8080"]) {
    const { errors } = await load(`${minimal}server: { listen: ${listen} }\n`);
    expect(errors[0]).toContain(listen.replaceAll("'", ""));
    expect(errors[0]).toContain("server.listen: an open gateway (no `teams`)");
  }
  await configOf(`${minimal}server: { listen: 0.0.0.0:8080 }\nteams: { a: { keys: ["${hash("1")}"] } }\n`);
});

test("finds circles in fallbacks once, and lets a diamond be", async () => {
  const chain = (models: Record<string, string[]>) =>
    `version: 1\nbackends: { a: { kind: vllm, url: "http://a" } }\nmodels:\n${Object.entries(models)
      .map(([name, to]) => `  ${name}: { on: [{ backend: a }], fallback: [${to.join(", ")}] }\n`)
      .join("")}`;
  await configOf(chain({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] }));
  const { errors } = await load(chain({ a: ["b"], b: ["c"], c: ["a"], d: ["d"] }));
  expect(errors.map((error) => error.split(": ").slice(-1)[0])).toEqual(["a -> b -> c -> a", "d -> d"]);
});

test("aliases do not collide with models, with each other or with auto", async () => {
  const { errors } = await load(`${minimal}  small: { on: [{ backend: a }], aliases: [large, auto, x] }
  tiny: { on: [{ backend: a, model: t }], aliases: [x] }
`);
  expect(errors.map((error) => error.slice(error.indexOf("the alias")))).toEqual([
    "the alias «large» is a model's name",
    "the alias «auto» is reserved",
    "the alias «x» is already an alias of «small»",
  ]);
});

test("a file of aliases to aliases ends in an error, quickly", async () => {
  const levels = Array.from({ length: 12 }, (_, i) => `  l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}*l${i}]`);
  const started = performance.now();
  const { errors } = await load(`version: 1\nmodels:\n  l0: &l0 [x]\n${levels.join("\n")}\n`);
  expect(errors.join()).toContain("once aliases are followed");
  expect(performance.now() - started).toBeLessThan(3000);
});

test.each([
  ["an empty file", "", "is empty"],
  ["a file over the cap", `${minimal}#${"x".repeat(maxConfigBytes)}`, "a config file has at most"],
  ["a list", "- 1\n", "expected a mapping"],
  ["broken YAML", `${minimal}routing: [\n`, "not valid YAML"],
  ["a key given twice", `${minimal}version: 1\n`, "6:1: the key «version» stands here twice"],
  ["two documents", `${minimal}---\nversion: 1\n`, "a second document"],
  ["a tag", `${minimal}defaults: !include x.yaml\n`, "the tag !include is not known"],
  ["a tab", "version: 1\nbackends:\n\ta: 1\n", "a tab"],
  ["an anchor that is not there", `${minimal}defaults: *x\n`, ""],
  ["a NUL byte", `${minimal}\0`, "NUL"],
  ["__proto__", `${minimal}defaults: { __proto__: { attempts: 9 } }\n`, "a key must be a plain word, not «__proto__»"],
])("refuses %s", async (_what, text, message) => {
  const { errors } = await load(text);
  expect(errors.join("\n")).toContain(message);
  expect(errors.length).toBeGreaterThan(0);
});
