import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A way to a server that can break. */
export interface CuttingProxy {
  readonly url: string;
  /** The next stream is cut off when so many of its events have passed. */
  cutAfter(events: number): void;
  close(): Promise<void>;
}

const EVENT = "data: {";

/** Starts a proxy on the loopback that hands on bytes to the server at `url`. */
export async function startCuttingProxy(url: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  const server = createServer((client) => {
    const target = connect(Number(port), hostname);
    const pair = [client, target];
    for (const socket of pair) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        for (const other of pair) other.destroy();
      });
    }
    client.pipe(target);
    target.on("data", (data) => {
      const text = data.toString("latin1");
      let at = text.indexOf(EVENT);
      for (; at >= 0 && left > 0; at = text.indexOf(EVENT, at + 1)) left--;
      if (at < 0) {
        client.write(data);
        return;
      }
      left = Number.POSITIVE_INFINITY;
      client.end(data.subarray(0, at));
      target.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter(events) {
      left = events;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
