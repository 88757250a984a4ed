import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const folder = await mkdtemp(path.join(tmpdir(), "signalbox-team-logs-"));
const captured = path.join(folder, "captured.jsonl");
const teams = ["silent", "plain", "talkative"] as const;
type Team = (typeof teams)[number];
const PROMPT = "plain-words-of-the-prompt, written to anna@mail.example.org";
const call = { name: "mail", arguments: { to: "bob@mail.example.org", about: "words-of-the-call" } };
const tools = [{ type: "function", function: { name: "mail", parameters: { type: "object" } } }];

let gateway: TestGateway<"gpu">;
const yaml = (gpu: string, more: Partial<Record<Team, string>> = {}) => `
server:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  shed_lag: 0s
  redact: [email, { name: case, matches: "case-[0-9]{1,6}" }]
  capture: { file: ${captured}, outcomes: [failed] }
usage: { folder: ${path.join(folder, "usage")} }
backends: { gpu: { kind: vllm, url: "${gpu}", tool_parser: raw } }
models: { large: { on: [{ backend: gpu, model: big, dialect: hermes }], tools: true, embeddings: true } }
teams:
${teams.map((team) => `  ${team}: { keys: ["${hashKey(`key-${team}`)}"]${more[team] ?? ""} }`).join("\n")}
`;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: {
      gpu: {
        kind: "vllm",
        models: ["big"],
        toolParser: false,
        script: [
          { when: { contains: "call" }, reply: { tool_calls: [call] } },
          {
            when: { contains: "go wrong" },
            reply: { text: '<tool_call>{"name": "mail", "arguments": {"to": "carl' },
          },
          {
            reply: { deltas: ["words-of-", "the-answer ", "on case-", "77\u2028", " from carl@mail", ".example.org"] },
          },
        ],
      },
    },
    yaml: ({ gpu }) => yaml(gpu, { silent: ", log: none", talkative: ", log: full" }),
  });
});
afterAll(async () => {
  await gateway.close();
  await rm(folder, { recursive: true });
});
let before = 0;
beforeEach(() => {
  before = gateway.logLines().length;
});

const ask = (team: Team, body: object, to = "/v1/chat/completions") =>
  gateway.post(to, body, { authorization: `Bearer key-${team}`, "x-request-id": `id-of-${team}` });
const chat = (stream: boolean, content = PROMPT, more = {}) => ({
  model: "large",
  stream,
  messages: [{ role: "user", content }],
  ...more,
});
const lines = async (count: number): Promise<readonly string[]> => {
  await expect.poll(() => gateway.logLines().length - before).toBeGreaterThanOrEqual(count);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return gateway.logLines().slice(before);
};
const factsOf = (line: string | undefined) => JSON.parse(line ?? "{}") as Record<string, unknown>;
const requestsOf = async (team: Team): Promise<number> =>
  Number(
    new RegExp(`signalbox_requests_total\\{team="${team}",[^}]*status="200",code="ok"\\} (\\d+)`).exec(
      await gateway.metrics(),
    )?.[1] ?? 0,
  );

test("the start names the teams whose words are logged, once, and a reload those that are new", async () => {
  const warned = () => gateway.logLines().filter((line) => line.includes("prompts and answers"));
  expect(warned().map((line) => factsOf(line).teams)).toEqual([["talkative"]]);
  const { url } = gateway.engines.gpu;
  await gateway.apply(yaml(url, { silent: ", log: none", plain: ", log: full", talkative: ", log: full" }));
  await gateway.apply(yaml(url, { silent: ", log: none", talkative: ", log: full" }));
  expect(warned().map((line) => factsOf(line).teams)).toEqual([["talkative"], ["plain"]]);
});

test.each([false, true])(
  "full: prompt and answer stand in the request's one line, redacted (stream %s)",
  async (stream) => {
    await (await ask("talkative", chat(stream))).text();
    const [line, ...more] = await lines(1);
    expect(more).toEqual([]);
    expect(factsOf(line)).toMatchObject({
      event: "request",
      request_id: "id-of-talkative",
      status: 200,
      prompt: [{ role: "user", content: "plain-words-of-the-prompt, written to [redacted:email]" }],
      answer: [
        { content: "words-of-the-answer on [redacted:case]\u2028 from [redacted:email]", finish_reason: "stop" },
      ],
    });
    expect(line).not.toContain("\u2028");
    expect(line).not.toContain("@mail");
  },
);

test.each([false, true])(
  "full: tool calls are told as they left, with their arguments redacted (stream %s)",
  async (stream) => {
    await (await ask("talkative", chat(stream, "call", { tools }))).text();
    const [line] = await lines(1);
    expect(factsOf(line).answer).toEqual([
      {
        tool_calls: [
          { id: expect.any(String), name: "mail", arguments: { to: "[redacted:email]", about: "words-of-the-call" } },
        ],
        finish_reason: "tool_calls",
      },
    ]);
  },
);

test("full: completions and embeddings have their own members, and an error has its prompt", async () => {
  await (await ask("talkative", { model: "large", prompt: "a prompt" }, "/v1/completions")).text();
  await (await ask("talkative", { model: "large", input: ["one", "two"] }, "/v1/embeddings")).text();
  await (await ask("talkative", chat(true, "to nobody", { model: "none" }))).text();
  const [completion, embedding, error] = (await lines(3)).map(factsOf);
  expect(completion).toMatchObject({
    prompt: "a prompt",
    answer: [{ text: expect.stringContaining("words-of-the-answer") }],
  });
  expect(embedding).toMatchObject({ prompt: ["one", "two"], answer: { embeddings: 2 } });
  expect(error).toMatchObject({ status: 404, prompt: [{ content: "to nobody" }] });
  expect(error).not.toHaveProperty("answer");
});

test("full: a stream that broke has the part that left, and a long prompt is cut with a mark", async () => {
  gateway.engines.gpu.fault({ kind: "cut", after_tokens: 2, times: 1 });
  await (await ask("talkative", chat(true, `${"long ".repeat(40_000)}end-of-it`))).text();
  const [line = ""] = await lines(1);
  expect(factsOf(line)).toMatchObject({ code: "stream_interrupted", answer: [{ content: "words-of-the-answer " }] });
  expect(line).toContain("[cut]");
  expect(line).not.toContain("end-of-it");
  expect(line.length).toBeLessThan(80 * 1024);
});

test("what is written down changes no byte of the answer", async () => {
  const strip = (text: string) => text.replace(/"(id|created)":("[^"]*"|\d+)/g, '"$1":0');
  for (const body of [chat(true), chat(false), chat(true, "call", { tools }), chat(true, PROMPT, { n: 2 })]) {
    const answers = await Promise.all(teams.map(async (team) => strip(await (await ask(team, body)).text())));
    expect(answers[1]).toBe(answers[0]);
    expect(answers[2]).toBe(answers[0]);
  }
  await lines(8);
});

test("metadata, which is the default: a line without a word of it", async () => {
  await (await ask("plain", chat(true))).text();
  const [line] = await lines(1);
  expect(factsOf(line)).toMatchObject({ team: "plain", request_id: "id-of-plain", status: 200 });
  expect(line).not.toMatch(/words-of|redacted|mail/);
});

test("none: what was used is written down for its team, and leads back to no request", async () => {
  for (const team of teams) await (await ask(team, chat(true))).text();
  const entries = () =>
    readdirSync(path.join(folder, "usage"))
      .flatMap((name) => readFileSync(path.join(folder, "usage", name), "utf8").split("\n"))
      .filter((line) => line !== "")
      .map(factsOf);
  const idsOf = (team: Team) => new Set(entries().flatMap((entry) => (entry.team === team ? [entry.id] : [])));
  await expect.poll(() => teams.map((team) => [...idsOf(team)])).toEqual([[""], ["id-of-plain"], ["id-of-talkative"]]);
  await lines(2);
});

test("none: no line, no id and no captured reply, whatever becomes of the request; the metrics count it", async () => {
  const counted = await requestsOf("silent");
  const answer = await ask("silent", chat(true));
  expect(answer.headers.get("x-request-id")).toBe("id-of-silent");
  await answer.text();
  await (await ask("silent", chat(false, "go wrong", { tools }))).text();
  await (await ask("silent", { model: "none", messages: [{ role: "user", content: PROMPT }] })).text();
  await (await ask("silent", { model: 7 })).text();
  gateway.engines.gpu.fault({ kind: "cut", after_tokens: 2, times: 1 });
  await (await ask("silent", chat(true))).text();
  await (await ask("plain", chat(false, "go wrong", { tools }))).text();
  const written = await lines(1);
  expect(written.map((line) => factsOf(line).team)).toEqual(["plain"]);
  const log = gateway.logLines().join("\n");
  expect(log).not.toContain("id-of-silent");
  await expect.poll(() => readFileSync(captured, "utf8")).toContain("id-of-plain");
  expect(readFileSync(captured, "utf8")).not.toContain("id-of-silent");
  expect(await requestsOf("silent")).toBe(counted + 2);
  expect(await gateway.metrics()).toMatch(/team="silent",[^}]*status="404"/);
});
