import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { checkConfig } from "../../apps/gateway/src/config/check.ts";
import { type FaultInput, type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { startEchoingStore } from "../hostile/echoing-store.ts";
import { leakyPolicies } from "../hostile/leaky-policies.ts";
import { type ReadyGateway, startReadyGateway } from "../hostile/ready-gateway.ts";
import { canaries, findCanaries } from "../hostile/secret-canaries.ts";
import { secretPolicy, variables, writeSecrets } from "../hostile/secret-policy.ts";
import { startWatchedStore } from "../hostile/watched-store.ts";
import type { Measure } from "./measure.ts";

const signalbox = fileURLToPath(import.meta.resolve("../../apps/gateway/src/main.ts"));
/** Where secrets were looked for, and which were found there. */
class Search {
  readonly found = new Set<string>();
  places = 0;
  /** Keys that were made on the way. */
  readonly made: string[] = [];

  look(place: string, text: string, options?: { readonly answer: boolean }): void {
    this.places++;
    for (const what of findCanaries(text, options)) this.found.add(`${what}, in ${place}`);
    if (this.made.some((key) => text.includes(key))) this.found.add(`a key of the store, in ${place}`);
  }
}

/** A whole run of traffic with faults, in both forms of the log, and the commands; secrets are looked for in all that comes out. */
export const secrets: Measure = {
  title: `places where one of ${Object.keys(canaries).length} secrets shows: logs, metrics, status, errors, headers, commands, captures`,
  target: "0",
  async run({ size }) {
    const folder = mkdtempSync(join(tmpdir(), "signalbox-secrets-"));
    const search = new Search();
    try {
      writeSecrets(folder);
      await Promise.all(["json", "pretty"].map((log) => playTraffic(folder, log, search, size)));
      await playCommands(folder, search, size);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const found = [...search.found];
    return {
      value: found.length,
      ok: found.length === 0 && search.places > 100,
      details: { places: search.places, found },
    };
  },
};

/** What engines may say of a request that they do not like: some give back all that they were sent. */
const echo = [canaries.prompt, canaries.tool_arguments, canaries.reply].map(({ value }) => value).join(" ");
const errorBody = { error: { message: `cannot read ${echo}`, type: "x", code: "y", param: echo, input: { echo } } };
const faults: readonly FaultInput[] = [
  { kind: "status", status: 500, body: errorBody },
  { kind: "status", status: 400, body: errorBody },
  {
    kind: "status",
    status: 401,
    body: { error: { message: `wrong key ${canaries.api_key.value} ${canaries.api_key_file.value}` } },
  },
  {
    kind: "status",
    status: 403,
    body: { error: { message: `not for ${canaries.api_key.value} ${canaries.header.value}` } },
  },
  { kind: "status", status: 429, body: errorBody, retry_after: 0 },
  { kind: "error_event", message: echo },
  { kind: "error_under_200", message: echo },
  { kind: "bare_error", message: echo },
  { kind: "html" },
  { kind: "truncated_json" },
  { kind: "not_json" },
  { kind: "malformed_event" },
  { kind: "cut" },
  { kind: "reset" },
  { kind: "reset_midway" },
  { kind: "stall" },
  { kind: "silence" },
  { kind: "no_finish" },
  { kind: "invalid_utf8" },
  { kind: "bad_status_line" },
  { kind: "redirect", location: `http://user:${canaries.url_password.value}@127.0.0.1/` },
];

const call = { name: "note", arguments: { text: canaries.tool_arguments.value, count: "seven" } };
const script = [
  { when: { contains: "key is" }, reply: { deltas: ["yes: ", ...canaries.told_key.value.match(/.{1,9}/g)!, "."] } },
  { when: { contains: "call" }, reply: { text: canaries.reply.value, tool_calls: [call] } },
  {
    when: { contains: "leak" },
    reply: { text: `<tool_call>\n{"name":"note","arguments":${JSON.stringify(call.arguments)}` },
  },
  { reply: { deltas: Array.from({ length: 12 }, () => `${canaries.reply.value} `) } },
];

const parameters = { type: "object", properties: { text: { type: "string" }, count: { type: "integer" } } };
const tools = [
  { type: "function", function: { name: "note", description: canaries.tool_description.value, parameters } },
];

function chatOf(model: string, word: string, stream: boolean): Record<string, unknown> {
  const history = {
    id: "c1",
    type: "function",
    function: { name: "note", arguments: `{"text":"${canaries.tool_arguments.value}"}` },
  };
  const messages = [
    { role: "system", content: canaries.system_prompt.value },
    { role: "user", content: canaries.prompt.value },
    { role: "assistant", content: null, tool_calls: [history] },
    { role: "tool", tool_call_id: "c1", content: canaries.tool_arguments.value },
    { role: "user", content: `${word} ${canaries.prompt.value}` },
  ];
  return { model, stream, messages, tools, user: canaries.user.value, metadata: { who: canaries.user.value } };
}

async function playTraffic(folder: string, log: string, search: Search, size: "short" | "full"): Promise<void> {
  const [{ api_key, api_key_file }, models] = [canaries, ["m", "n"]];
  const one = await startSimulator({ kind: "vllm", models, script, apiKey: api_key.value });
  const two = await startSimulator({ kind: "openai", models, script, apiKey: api_key_file.value });
  await using store = log === "json" ? await startWatchedStore() : await startEchoingStore();
  await using gateway = await startReadyGateway({
    config: secretPolicy(folder, log, { one, two, store }),
    env: variables,
    nodeOptions: ["--import", import.meta.resolve("../faults/saboteur.ts")],
  });
  let stdout = "";
  gateway.child.stdout!.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("utf8");
  });
  const client = new Client(gateway, search);
  await playGood(client);
  // Both forms of the log are made of the same story: in short, the second one is shown a few faults alone.
  for (const fault of size === "short" && log === "pretty" ? faults.slice(0, 6) : faults) {
    one.fault({ ...fault, times: 4 });
    two.fault({ ...fault, times: 2 });
    await Promise.all([true, false].map((stream) => client.post(chatOf("m", "hi", stream))));
    await Promise.all([one.clearFaults(), two.clearFaults()]);
  }
  await playBad(client);
  await playTeams(client, one);
  if (log === "json") await playStoredKey(gateway, client, search);
  await playAdmin(gateway, search);
  gateway.child.kill("SIGUSR2");
  writeFileSync(gateway.configFile, leakyPolicies["a password in a backend's address"]!);
  await sleep(1500);
  await checkEngines(search, one, two);
  const headers = { authorization: `Bearer ${canaries.viewer_token.value}` };
  for (const path of ["/metrics", "/status", "/readyz"]) {
    const answer = await fetch(gateway.adminUrl + path, { headers });
    if (!answer.ok) throw new Error(`${path} is not to be read: ${answer.status}`);
    search.look(`${path} (${log})`, await answer.text());
  }
  for (const words of [["status"], ["status", "--json"]]) {
    const token = ["--token-file", join(folder, "viewer-token")];
    search.look(`signalbox ${words.join(" ")}`, await run([...words, "--admin", gateway.adminUrl, ...token]));
  }
  gateway.child.kill("SIGTERM");
  await Promise.race([gateway.exited, sleep(6000)]);
  if (stdout.length < 5000) throw new Error("the log is too short to have been searched");
  for (const line of stdout.split("\n")) search.look(`the log (${log}): ${line.slice(0, 400)}`, line);
  search.look("standard error", gateway.errors());
  for (const name of ["capture", "audit", "usage"])
    search.look(`${name}-${log}`, readAll(join(folder, `${name}-${log}`)));
  const shown = log === "json" ? "evalsha" : canaries.sentinel_password.value;
  if (!store.heard.includes(shown)) throw new Error("the store was told nothing");
  if (log === "json") search.look("the commands to the store", store.heard);
  if (!stdout.includes("[redacted:api_key]")) throw new Error("the log has no words of the team that wants them there");
  await Promise.all([one.close(), two.close()]);
}

/** A file, or all files of a folder. */
function readAll(path: string): string {
  if (!statSync(path).isDirectory()) return readFileSync(path, "utf8");
  return readdirSync(path)
    .map((name) => readFileSync(join(path, name), "utf8"))
    .join("\n");
}

/** Only its own key reaches an engine, and none of ours. */
async function checkEngines(search: Search, one: Simulator, two: Simulator): Promise<void> {
  for (const [engine, own] of [
    [one, [canaries.api_key.value, canaries.header.value, canaries.silent_id.value]],
    [two, [canaries.api_key_file.value, canaries.silent_id.value]],
  ] as const) {
    for (const { headers, path } of engine.log) {
      const text = own.reduce((rest, value) => rest.replaceAll(value, ""), JSON.stringify([headers, path]));
      search.look(`a request to an engine: ${path}`, text);
    }
  }
}

/** Sends requests, and searches each answer. */
class Client {
  readonly #gateway: ReadyGateway;
  readonly #search: Search;

  constructor(gateway: ReadyGateway, search: Search) {
    this.#gateway = gateway;
    this.#search = search;
  }

  async post(body: unknown, headers: Record<string, string> = {}, path = "/v1/chat/completions"): Promise<void> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const own = { authorization: `Bearer ${canaries.team_key.value}`, "content-type": "application/json" };
    const answer = await send(this.#gateway.port, path, text, { ...own, ...headers });
    // Its id goes back to who asked; vLLM makes the reply's own of it.
    const id = headers["x-request-id"] ?? "none";
    const told = answer.text.replaceAll(id, "");
    this.#search.look(`headers of ${answer.status}`, answer.headers.replaceAll(id, ""));
    this.#search.look(`the body of ${answer.status}: ${told.slice(0, 200)}`, told, { answer: true });
    if (answer.status === 401 || answer.status === 404) this.#search.look(`the body of ${answer.status}`, told);
  }
}

async function playGood(client: Client): Promise<void> {
  for (const stream of [true, false]) {
    for (const word of ["hi", "call", "leak"])
      for (const model of ["m", "n", "auto"]) await client.post(chatOf(model, word, stream));
    await client.post({ model: "n", prompt: canaries.prompt.value, stream }, {}, "/v1/completions");
  }
  await client.post({ model: "n", input: canaries.prompt.value }, {}, "/v1/embeddings");
  await client.post(chatOf("locked", "hi", true));
}

/** Teams of which nothing is written down, and all but what is redacted. */
async function playTeams(client: Client, engine: Simulator): Promise<void> {
  const silent = { authorization: `Bearer ${canaries.silent_key.value}`, "x-request-id": canaries.silent_id.value };
  const loud = { authorization: `Bearer ${canaries.loud_key.value}` };
  const ask = (content: string, more: object = {}) => ({ model: "m", messages: [{ role: "user", content }], ...more });
  for (const stream of [true, false]) {
    for (const word of ["hi", "call", "leak"])
      await client.post(ask(`${word} ${canaries.silent_prompt.value}`, { stream, tools }), silent);
    await client.post(ask(`the key is ${canaries.told_key.value}`, { stream }), loud);
    engine.fault({ kind: "cut", times: 1 });
    await client.post(ask(canaries.silent_prompt.value, { stream }), silent);
  }
  await client.post(ask(canaries.silent_prompt.value, { model: "none" }), silent);
  await client.post(ask(canaries.silent_prompt.value, { temperature: canaries.silent_prompt.value }), silent);
}

/** A key that the gateway makes: it is told once, and stands nowhere. */
async function playStoredKey({ adminUrl }: ReadyGateway, client: Client, search: Search): Promise<void> {
  const headers = { authorization: `Bearer ${canaries.admin_token.value}`, "content-type": "application/json" };
  const change = async (body: object) => {
    const answer = await fetch(`${adminUrl}/keys`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`no key: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { key?: string };
  };
  const { key = "" } = await change({ action: "create", team: "all", name: "made" });
  search.made.push(key);
  for (const stream of [true, false]) await client.post(chatOf("m", "hi", stream), { authorization: `Bearer ${key}` });
  search.look("the list of keys", await (await fetch(`${adminUrl}/keys`, { headers })).text());
  await change({ action: "revoke", team: "all", name: "made" });
  await client.post(chatOf("m", "hi", true), { authorization: `Bearer ${key}` });
}

/** What clients get wrong, with secrets in it. */
async function playBad(client: Client): Promise<void> {
  const hi = chatOf("m", "hi", false);
  await client.post(hi, { authorization: `Bearer ${canaries.wrong_bearer.value}` });
  await client.post(hi, { authorization: `Basic ${canaries.wrong_bearer.value}` });
  await client.post(hi, { authorization: "", "x-api-key": canaries.wrong_api_key.value });
  await client.post(hi, { "x-api-key": canaries.wrong_api_key.value });
  await client.post(hi, {}, `/v1/chat/completions?api_key=${canaries.query.value}`);
  await client.post(hi, { cookie: `key=${canaries.query.value}`, referer: `http://x/?key=${canaries.query.value}` });
  await client.post({ ...hi, temperature: canaries.prompt.value });
  await client.post({ ...hi, messages: [{ role: "user", content: { [canaries.prompt.value]: 1 } }] });
  await client.post({ ...hi, messages: [{ role: canaries.prompt.value, content: 7 }] });
  await client.post({
    ...hi,
    tools: [{ type: "function", function: { name: 7, description: canaries.prompt.value } }],
  });
  const json = JSON.stringify(hi);
  for (const cut of [json.length - 1, json.indexOf(canaries.prompt.value) + 5]) await client.post(json.slice(0, cut));
  await client.post(`${json} ${canaries.prompt.value}`);
  await client.post(json.replace("{", `{"${canaries.prompt.value}":1,"${canaries.prompt.value}":2,`));
  await client.post({ ...hi, messages: [{ role: "user", content: `${canaries.prompt.value} `.repeat(400_000) }] });
}

async function playAdmin({ adminUrl }: ReadyGateway, search: Search): Promise<void> {
  for (const { value } of [canaries.admin_token, canaries.wrong_admin_token]) {
    for (const action of ["drain", "auto", canaries.wrong_admin_token.value]) {
      const headers = { authorization: `Bearer ${value}`, "content-type": "application/json" };
      const response = await fetch(`${adminUrl}/backends/one`, {
        method: "POST",
        headers,
        body: JSON.stringify({ action }),
      });
      search.look("an answer of the admin listener", JSON.stringify([...response.headers]) + (await response.text()));
    }
  }
}

/** What the commands say of good and of bad policies; in short, `serve` and `explain` are asked about the first ones alone. */
async function playCommands(folder: string, search: Search, size: "short" | "full"): Promise<void> {
  const nowhere = { url: "http://127.0.0.1:9" };
  const pool = { one: nowhere, two: nowhere, store: { port: 9 } };
  const good = `${JSON.stringify({ version: 1, ...secretPolicy(folder, "pretty", pool) })}\n`;
  const entries = Object.entries({ "a good policy": good, ...leakyPolicies });
  const playOne = async ([what, text]: [string, string], number: number): Promise<void> => {
    const file = join(folder, `policy-${number}.yaml`);
    writeFileSync(file, text);
    const explain = ["explain", "--config", file, "--prompt", "hi", "--json"];
    const isGood = what === "a good policy";
    const { ok, output } = await checkConfig(file, { ...process.env, ...variables });
    search.look(`signalbox check of ${what}: ${output.slice(0, 300)}`, output);
    if (isGood && !ok) throw new Error(`the good policy is not: ${output}`);
    if (size === "short" && number > 1) return;
    for (const words of isGood ? [explain] : [["serve", "--config", file], explain]) {
      const ran = await run(words);
      search.look(`signalbox ${words[0]} of ${what}: ${ran.slice(0, 300)}`, ran);
    }
  };
  const waiting = [...entries.entries()];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await playOne(next[1], next[0]);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

/** All that a command prints; one that goes on, as `serve` does with a policy that is sound, is ended. */
async function run(words: readonly string[]): Promise<string> {
  const options = { env: { ...process.env, ...variables }, timeout: 20_000 };
  return promisify(execFile)(process.execPath, [signalbox, ...words], options).then(
    ({ stdout, stderr }) => stdout + stderr,
    ({ killed, stdout, stderr }) => {
      if (killed && words[0] !== "serve") throw new Error(`signalbox ${words[0]} did not end within 20 s`);
      return `${stdout}${stderr}`;
    },
  );
}

interface Answered {
  readonly status: number;
  readonly headers: string;
  readonly text: string;
}

function send(port: number, path: string, body: string, headers: Record<string, string>): Promise<Answered> {
  return new Promise((resolve) => {
    const sent = request({ port, path, method: "POST", headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", () => {});
      response.on("close", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.rawHeaders.join("\n"), text }),
      );
    });
    sent.on("error", () => resolve({ status: 0, headers: "", text: "" }));
    sent.end(body);
  });
}
