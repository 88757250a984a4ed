import { connect, createServer, type Socket } from "node:net";

/** A way to a server that takes as long as it is told. */
export interface DelayingProxy {
  readonly port: number;
  /** Milliseconds that an answer takes longer; for all that comes from now on. */
  delayMs: number;
  /** Connections that are open. */
  readonly open: number;
  close(): Promise<void>;
}

/** Listens on the loopback, and hands all on to `port`; what comes back waits. */
export async function startDelayingProxy(port: number): Promise<DelayingProxy> {
  const sockets = new Set<Socket>();
  const proxy = { port: 0, delayMs: 0 };
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port, host: "127.0.0.1", noDelay: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (bytes) => void upstream.write(bytes));
    upstream.on("data", (bytes) => {
      if (proxy.delayMs === 0) client.write(bytes);
      else setTimeout(() => client.destroyed || client.write(bytes), proxy.delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address === "object" && address !== null) proxy.port = address.port;
  return Object.assign(proxy, {
    get open() {
      return sockets.size / 2;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
