import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { startSimulator } from "@signalbox/simulator";
import { afterEach, expect, test } from "vitest";

/** The command alone, as `signalbox demo` runs it. */
const program = `import { demo } from "${new URL("../cli/demo.ts", import.meta.url)}";
process.exitCode = await demo.run(process.argv.slice(1));`;
const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
});

interface Demo {
  readonly child: ChildProcess;
  output(): string;
  /** Resolves when the output holds this text. */
  shows(text: string | RegExp): Promise<string>;
}

async function startDemo(...args: string[]): Promise<Demo> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, "--", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  let output = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      for (const look of waiting) look();
    });
  }
  const shows = (text: string | RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (typeof text === "string" ? !output.includes(text) : !text.test(output)) return;
        waiting.delete(look);
        resolve(output);
      };
      waiting.add(look);
      child.once("exit", () => reject(new Error(`the demo ended:\n${output}`)));
      look();
    });
  const demo = { child, output: () => output, shows };
  await shows("Ctrl-C stops everything");
  return demo;
}

/** The command under `# 1.`, `# 2.` and so on. */
function printedLine(demo: Demo, number: number): string {
  const lines = demo.output().split("\n");
  return lines[lines.findIndex((line) => line.startsWith(`# ${number}. `)) + 1]!;
}

interface Pasted {
  readonly status: string;
  readonly backend: string;
  readonly model: string;
  readonly body: string;
}

/** Runs a line as a person would who pastes it into bash. */
function paste(line: string): Promise<Pasted> {
  return new Promise((resolve, reject) => {
    execFile("bash", ["-c", line], { timeout: 15_000 }, (error, stdout) => {
      if (error) return reject(error);
      const answer = stdout.slice(stdout.indexOf("HTTP/1.1"));
      const [head = "", ...rest] = answer.split("\r\n\r\n");
      const header = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(head)?.[1]?.trim() ?? "";
      const status = /^HTTP\/1.1 (\d+)/.exec(head)?.[1] ?? "";
      const body = rest.join("\r\n\r\n");
      resolve({ status, backend: header("x-signalbox-backend"), model: header("x-signalbox-model"), body });
    });
  });
}

async function interrupt({ child }: Demo): Promise<unknown> {
  const ended = once(child, "exit");
  child.kill("SIGINT");
  return (await ended)[0];
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("the printed lines work: easy to small, hard to large, a call that was left in the text, another engine after a kill, and Ctrl-C ends it all", async () => {
  const demo = await startDemo("--simulated", "--any-port");
  expect(demo.output()).toContain("SIMULATED");
  expect(demo.output()).toMatch(/m2 +SGLang \(simulated\) +http:\/\/127\.0\.0\.1:\d+ +MiniMaxAI\/MiniMax-M2 +\d+/);

  const easy = await paste(printedLine(demo, 1));
  expect(easy).toMatchObject({ status: "200", model: "small", backend: "edge" });
  expect(JSON.parse(easy.body)).toMatchObject({ choices: [{ finish_reason: "stop" }] });
  await demo.shows(/✓ auto \(simple\) → small on edge .*first token/);

  const hard = await paste(printedLine(demo, 2));
  expect(hard).toMatchObject({ status: "200", model: "large", backend: "m2" });
  expect(hard.body.trimEnd().endsWith("data: [DONE]")).toBe(true);
  await demo.shows(/✓ auto \(complex\) → large on m2/);

  const tool = await paste(printedLine(demo, 3));
  expect(tool).toMatchObject({ status: "200", model: "large", backend: "m2" });
  const { choices } = JSON.parse(tool.body) as { choices: { message: Record<string, unknown> }[] };
  expect(choices).toMatchObject([
    {
      finish_reason: "tool_calls",
      message: {
        content: null,
        reasoning_content: expect.stringContaining("weather"),
        tool_calls: [{ type: "function", function: { name: "get_weather", arguments: '{"city":"Lyon"}' } }],
      },
    },
  ]);

  const afterKill = await paste(printedLine(demo, 4));
  expect(afterKill).toMatchObject({ status: "200", model: "coder", backend: "coder" });
  expect(afterKill.body.trimEnd().endsWith("data: [DONE]")).toBe(true);
  await demo.shows(/✓ auto \(complex\) → coder on coder/);
  await demo.shows("! m2, the simulated SGLang, is gone");

  const pids = [...demo.output().matchAll(/^ {2}\w+ .* (\d+)$/gm)].map(([, pid]) => Number(pid));
  expect(pids).toHaveLength(4);
  expect(await interrupt(demo)).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
}, 30_000);

test("whichever engine just answered is killed: the next answer comes from another until none is left", async () => {
  const demo = await startDemo("--simulated", "--any-port");
  const pidOf = (name: string): number => Number(new RegExp(`^ {2}${name} .* (\\d+)$`, "m").exec(demo.output())![1]);
  const hard = printedLine(demo, 2);
  const answered: string[] = [];
  for (let left = 4; left > 0; left--) {
    const { status, backend } = await paste(hard);
    expect(status).toBe("200");
    answered.push(backend);
    process.kill(pidOf(backend));
  }
  expect(answered).toEqual(["m2", "coder", "phi", "edge"]);
  expect((await paste(hard)).status).toBe("503");
  expect(await interrupt(demo)).toBe(0);
}, 30_000);

test("takes engines that run already, steps over a busy port, and says both", async () => {
  const simulators = await Promise.all([startSimulator({ kind: "sglang" }), startSimulator({ kind: "ollama" })]);
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const busy = (holder.address() as { port: number }).port;
  try {
    const demo = await startDemo(...simulators.map(({ url }) => url), "--port", String(busy), "--admin-port", "0");
    expect(demo.output()).toContain("were found on this host");
    expect(demo.output()).toMatch(
      new RegExp(`Port ${busy} is taken by another program: the gateway is on \\d+ instead`),
    );
    expect(await paste(printedLine(demo, 1))).toMatchObject({ status: "200", backend: "ollama" });
    expect(await paste(printedLine(demo, 2))).toMatchObject({ status: "200", backend: "sglang" });
    expect(await paste(printedLine(demo, 3))).toMatchObject({ status: "200", backend: "ollama" });
    expect(await interrupt(demo)).toBe(0);
  } finally {
    await Promise.all(simulators.map((simulator) => simulator.close()));
    await new Promise((resolve) => holder.close(resolve));
  }
}, 30_000);
