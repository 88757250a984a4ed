import { createServer } from "node:http";

// A collector that takes whatever it is sent: `node trace-sink.ts PORT`.
createServer((request, response) => {
  request.resume().on("end", () => response.end());
}).listen(Number(process.argv[2]), "127.0.0.1");
