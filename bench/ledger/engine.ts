import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Errand } from "./errand.ts";

/** A model server of kind `vllm` that counts as its requests tell it to. */
export interface CountingEngine {
  readonly url: string;
  close(): void;
}

const probes: Readonly<Record<string, string>> = {
  "/health": "",
  "/version": '{"version":"0.11.0"}',
  "/metrics": 'vllm:num_requests_running{engine="0"} 1\nvllm:num_requests_waiting{engine="0"} 0\n',
  "/v1/models": '{"object":"list","data":[{"id":"large","object":"model","owned_by":"vllm"}]}',
};

/** Starts an engine; `seen` are the ids of requests that failed once, which the engines of a model share. */
export async function startCountingEngine(seen: Set<string>): Promise<CountingEngine> {
  const server: Server = createServer((request, response) => {
    const probe = probes[request.url ?? ""];
    if (probe !== undefined) response.end(probe);
    else void answer(request, response, seen).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, seen: Set<string>): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const { messages, stream } = JSON.parse(Buffer.concat(pieces).toString()) as {
    messages: { content: string }[];
    stream?: boolean;
  };
  const errand = JSON.parse(messages[0]!.content) as Errand;
  const id = String(request.headers["x-request-id"]);
  if (errand.act === "fail" || (errand.act === "fail_once" && !seen.has(id))) {
    seen.add(id);
    response.writeHead(500, { "content-type": "application/json" }).end('{"error":{"message":"it failed"}}');
  } else if (stream === true) say(response, errand);
  else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(wholeOf(errand)));
}

const head = { id: "chatcmpl-1", created: 1, model: "large" };
const usageOf = ({ input }: Errand, output: number) => {
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
};

function wholeOf(errand: Errand): object {
  const content = Array.from({ length: errand.output }, () => "word").join(" ");
  const choice = { index: 0, message: { role: "assistant", content }, finish_reason: "stop" };
  return { ...head, object: "chat.completion", choices: [choice], usage: usageOf(errand, errand.output) };
}

/** A chunk for each token, each with the usage so far. */
function say(response: ServerResponse, errand: Errand): void {
  const { act, output, after } = errand;
  response.writeHead(200, { "content-type": "text/event-stream" });
  const until = act === "leave" || act === "cut" ? after : output;
  for (let token = 1; token <= until; token++) {
    const choice = { index: 0, delta: { content: "word " }, finish_reason: token === output ? "stop" : null };
    const chunk = { ...head, object: "chat.completion.chunk", choices: [choice], usage: usageOf(errand, token) };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  }
  // The client reads what there is, and leaves; the connection ends with that.
  if (act === "leave") return;
  if (act === "cut") response.write("", () => setTimeout(() => response.destroy(), 5));
  else response.end("data: [DONE]\n\n");
}
