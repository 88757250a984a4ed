// The yardstick of bench:stream: node:http in front, undici behind, every piece of the answer written on as it comes.
import { createServer } from "node:http";
import { Pool } from "undici";

const [port, upstream] = process.argv.slice(2);
const pool = new Pool(upstream!, { connections: 4_096, headersTimeout: 0, bodyTimeout: 0 });

createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", async () => {
    try {
      const body = Buffer.concat(pieces);
      const headers = { "content-type": "application/json" };
      const answer = await pool.request({ method: "POST", path: request.url!, headers, body });
      response.writeHead(answer.statusCode, { "content-type": String(answer.headers["content-type"]) });
      answer.body.on("data", (piece: Buffer) => response.write(piece));
      answer.body.on("end", () => response.end());
      answer.body.on("error", () => response.destroy());
      response.on("close", () => answer.body.destroy());
    } catch (error) {
      response.writeHead(502).end(String(error));
    }
  });
}).listen(Number(port), "127.0.0.1");
