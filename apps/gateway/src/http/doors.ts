import { createServer as createHttpServer, type Server } from "node:http";
import { type AddressInfo, createServer, type Server as Door } from "node:net";
import type { Address } from "../config/units.ts";

/** What listens at an address for an HTTP server. */
export interface Doors {
  readonly port: number;
  /** Lets nobody in any more; resolves when all who were let in are gone. */
  close(): Promise<void>;
}

/**
 * Opens `count` doors of a server at an address (port 0 = any free one): sockets that listen on one port. The event loop
 * takes one new connection from each of them in a turn, so that with a single one a loop whose turns take 10 ms lets in
 * 100 new clients a second, and leaves the others outside.
 * @throws Error with the system's code, e.g. `EADDRINUSE`.
 */
export async function openDoors(
  server: Server,
  { host, port: wanted }: Address,
  count: number,
  onError: (error: NodeJS.ErrnoException) => void,
): Promise<Doors> {
  const port = count > 1 ? await freePort(host, wanted) : wanted;
  const shared = { host, port, reusePort: count > 1 };
  const others = Array.from({ length: count - 1 }, () =>
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void server.emit("connection", socket)),
  );
  const doors: Door[] = [server, ...others];
  try {
    for (const door of doors) await listening(door, shared);
  } catch (error) {
    await Promise.all(doors.map(closed));
    // Not every system shares a port: one door, then.
    if ((error as NodeJS.ErrnoException).code !== "ENOTSUP") throw error;
    doors.splice(1);
    await listening(server, { host, port });
  }
  for (const door of doors) door.on("error", onError);
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      await Promise.all(doors.map(closed));
    },
  };
}

/** A port that is shared would be shared with another gateway, too, that was started by mistake: it must be nobody's now. */
async function freePort(host: string, wanted: number): Promise<number> {
  const trial = createHttpServer();
  await listening(trial, { host, port: wanted });
  const { port } = trial.address() as AddressInfo;
  await closed(trial);
  return port;
}

function listening(door: Door, at: { host: string; port: number; reusePort?: boolean }): Promise<void> {
  return new Promise((resolve, reject) => {
    door.once("error", reject);
    door.listen(at, () => {
      door.off("error", reject);
      resolve();
    });
  });
}

function closed(door: Door): Promise<void> {
  return new Promise((resolve) => door.close(() => resolve()));
}
