import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";

/** An address that takes no connection and refuses none. */
export interface Blackhole {
  readonly url: string;
  close(): void;
}

/**
 * A process that listens, is stopped, and has its backlog full, so that the network answers nothing. `port`: the one to take, which
 * must be free; any unless given.
 */
export async function startBlackhole(port?: number): Promise<Blackhole> {
  const at = port ?? (await freePort());
  const script = `require("node:net").createServer().listen({port:${at},host:"127.0.0.1",backlog:1},()=>process.send("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  await new Promise((resolve) => child.once("message", resolve));
  child.kill("SIGSTOP");
  const fillers = Array.from({ length: 4 }, () => connect(at, "127.0.0.1").on("error", () => {}));
  await Promise.all(fillers.slice(0, 2).map((filler) => new Promise((resolve) => filler.once("connect", resolve))));
  return {
    url: `http://127.0.0.1:${at}`,
    close() {
      for (const filler of fillers) filler.destroy();
      process.off("exit", kill);
      kill();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
