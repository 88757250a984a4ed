import { createServer } from "node:net";

const HOST = "127.0.0.1";
const MAX_STEPS = 50;

/** A port that nobody listens on, and those that were passed over on the way to it. */
export interface FreePort {
  readonly port: number;
  readonly taken: readonly number[];
}

/**
 * The first free port from `preferred` upwards on 127.0.0.1, at most 50 steps on, then any. 0 = any at once. A port in
 * `reserved` is passed over without being called taken: it is promised to another part of this program.
 */
export async function findFreePort(preferred: number, reserved: Set<number> = new Set()): Promise<FreePort> {
  const taken: number[] = [];
  for (let port = preferred; port > 0 && port <= 65_535 && port < preferred + MAX_STEPS; port++) {
    if (reserved.has(port)) continue;
    const found = await tryPort(port);
    if (found !== undefined) {
      reserved.add(found);
      return { port: found, taken };
    }
    taken.push(port);
  }
  const any = await tryPort(0);
  if (any === undefined) throw new Error(`no free port on ${HOST}`);
  reserved.add(any);
  return { port: any, taken };
}

/** The port when it could be listened on; let go at once. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : undefined));
    });
  });
}
