import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A listener on the loopback that counts what it is sent. */
export interface CountingListener extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly connections: number;
  /** Bytes that came in. */
  readonly bytes: number;
  /** All that came in, as latin1. */
  readonly heard: string;
}

/** Stands before a server and passes all on, both ways: a byte that is sent to that server is one that was counted. */
export function openRelay(target: string): Promise<CountingListener> {
  const { port, hostname } = new URL(target);
  return listen((socket) => {
    const onward = connect({ port: Number(port), host: hostname, noDelay: true });
    onward.on("error", () => socket.destroy());
    socket.on("close", () => onward.destroy());
    socket.pipe(onward).pipe(socket);
  });
}

async function listen(take: (socket: Socket) => void): Promise<CountingListener> {
  const sockets = new Set<Socket>();
  const heard: Buffer[] = [];
  let connections = 0;
  let bytes = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      heard.push(chunk);
    });
    take(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get connections() {
      return connections;
    },
    get bytes() {
      return bytes;
    },
    get heard() {
      return Buffer.concat(heard).toString("latin1");
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
/** Listens where nobody has any business. What comes is counted, and answered like a metadata service that has secrets. */
export function openCanary(): Promise<CountingListener> {
  return listen((socket) => {
    const secret = '{"AccessKeyId":"canary"}';
    socket.end(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${secret.length}\r\n\r\n${secret}`,
    );
  });
}
