import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { listRecordings, readRecording, readRecordings, replay } from "./recording.ts";

const engines = readdirSync(new URL("../recordings/", import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test("every recording is read, and its body is as long as it was on the wire", () => {
  let measured = 0;
  for (const name of engines.flatMap(listRecordings)) {
    const { body, size, request, status } = readRecording(name);
    if (request !== undefined) expect(status, name).toBeGreaterThanOrEqual(200);
    // What recordings/README.md says was replaced or cut is shorter than it was.
    if (size === undefined || /ENGINES\/|\[\.\.\. cut here/.test(body.toString("latin1"))) continue;
    measured++;
    expect(body.length, name).toBe(size);
  }
  expect(measured).toBeGreaterThan(150);
});

test("no recording names a folder of a user or the host of a registry", () => {
  const private_ = /\/(?:root|home|Users)\/|huggingface|registry\.|pypi|npmjs/i;
  for (const name of engines.flatMap(listRecordings)) {
    expect(readRecording(name).body.toString("utf8"), name).not.toMatch(private_);
  }
});

test("a request line gives method, path and body", () => {
  expect(readRecording("vllm-0.32.0/err_maxtok0.txt").request).toEqual({
    method: "POST",
    path: "/v1/chat/completions",
    body: '{"model":"tiny","messages":[{"role":"user","content":"hi"}],"max_tokens":0}',
  });
  expect(readRecording("vllm-0.32.0/wrong_method.txt").request?.method).toBe("GET");
});

test("a file of several exchanges gives each", () => {
  const statuses = readRecordings("vllm-0.32.0/noparser-toolchoice.txt").map(({ status }) => status);
  expect(statuses).toEqual([400, 400, 400, 400, 200]);
});

test("a replay answers what was recorded, and the engine's own 404 elsewhere", async () => {
  const get = replay("ollama-0.33.0");
  expect(await get("/api/version")).toMatchObject({ status: 200, text: '{"version":"0.33.0"}' });
  expect(await get("/nowhere")).toMatchObject({ status: 404, text: "404 page not found" });
});
