import { once } from "node:events";
import { createServer, type Server } from "node:http";

/** What takes traces and forgets them; what is in them is judged elsewhere. */
export interface Collector {
  readonly url: string;
  /** Refuses connections from now on. */
  leave(): Promise<void>;
  /** Takes them again, on the same port. */
  comeBack(): Promise<void>;
}

async function listen(port: number): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Starts one on a free port. */
export async function startCollector(): Promise<Collector> {
  let server = await listen(0);
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async leave() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
    async comeBack() {
      server = await listen(port);
    },
  };
}
