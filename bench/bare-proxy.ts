// The yardstick of bench:overhead: node:http in front, undici behind, both bodies read whole and parsed, nothing else.
import { createServer } from "node:http";
import { Pool } from "undici";

const [port, upstream] = process.argv.slice(2);
const pool = new Pool(upstream!, { connections: 128 });

createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", async () => {
    try {
      const body = Buffer.concat(pieces);
      JSON.parse(body.toString());
      const headers = { "content-type": "application/json" };
      const answer = await pool.request({ method: "POST", path: request.url!, headers, body });
      const text = await answer.body.text();
      JSON.parse(text);
      const length = Buffer.byteLength(text);
      response.writeHead(answer.statusCode, { "content-type": "application/json", "content-length": length });
      response.end(text);
    } catch (error) {
      response.writeHead(502).end(String(error));
    }
  });
}).listen(Number(port), "127.0.0.1");
