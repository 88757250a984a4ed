import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { WatchedStore } from "./watched-store.ts";

/** Takes itself for a Redis and knows no command: it says so, with all that it was sent, passwords too, as Redis does. */
export async function startEchoingStore(): Promise<WatchedStore> {
  const sockets = new Set<Socket>();
  let heard = "";
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      heard += text;
      const words = [...text.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word]) => `'${word}'`);
      // An array begins each command, and each wants its answer.
      for (const _ of text.matchAll(/\*\d+\r\n/g))
        socket.write(`-ERR unknown command, with args beginning with: ${words.join(" ")}\r\n`);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get heard() {
      return heard;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
