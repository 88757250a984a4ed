import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { onTestFinished } from "vitest";

/** An address that takes no connection and refuses none: a process that listens, is stopped, and has its backlog full. */
export async function startBlackhole(): Promise<string> {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const script = `require("node:net").createServer().listen({port:${port},host:"127.0.0.1",backlog:1},()=>process.send("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  await new Promise((resolve) => child.once("message", resolve));
  child.kill("SIGSTOP");
  const fillers = Array.from({ length: 4 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  onTestFinished(() => {
    for (const filler of fillers) filler.destroy();
    child.kill("SIGKILL");
  });
  await Promise.all(fillers.slice(0, 2).map((filler) => new Promise((resolve) => filler.once("connect", resolve))));
  return `http://127.0.0.1:${port}`;
}
