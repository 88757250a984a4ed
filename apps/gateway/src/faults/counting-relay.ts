import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands before an engine, passes all on both ways, and knows what came. */
export interface CountingRelay {
  readonly url: string;
  /** Requests that are no probe, and connections that ended before anything came. */
  readonly used: number;
  /** All that came in, as latin1. */
  readonly heard: string;
  close(): Promise<void>;
}

/** A relay to the engine at `target`. */
export async function startCountingRelay(target: string): Promise<CountingRelay> {
  const { port, hostname } = new URL(target);
  const sockets = new Map<Socket, string>();
  const open = new Set<Socket>();
  let idle = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    const onward = connect({ port: Number(port), host: hostname, noDelay: true });
    sockets.set(socket, "");
    open.add(socket);
    onward.on("error", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => {
      open.delete(socket);
      if (sockets.get(socket) === "") idle++;
      onward.destroy();
    });
    socket.on("data", (bytes) => void sockets.set(socket, sockets.get(socket) + bytes.toString("latin1")));
    socket.pipe(onward).pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get used() {
      return idle + [...sockets.values()].reduce((sum, heard) => sum + heard.split("POST /").length - 1, 0);
    },
    get heard() {
      return [...sockets.values()].join("\n");
    },
    async close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
