import { METHODS } from "node:http";
import { connect } from "node:net";

/** What a client can make up without end. Each is refused, and the connection lives on. */
const junk = {
  model: (i: number, key: string) => post("/v1/chat/completions", key, `{"model":"junk-${i}","messages":[${hi}]}`),
  path: (i: number, key: string) => get(`/junk/${i}`, "GET", key),
  model_path: (i: number, key: string) => get(`/v1/models/junk-${i}`, "GET", key),
  method: (i: number, key: string) => get(`/v1/chat/completions?junk=${i}`, methods[i % methods.length]!, key),
  key: (i: number) => post("/v1/chat/completions", `sb-junk-${i}`, `{"model":"m","messages":[${hi}]}`),
  user: (i: number, key: string) =>
    post("/v1/embeddings", key, `{"model":"junk-${i}","input":"hi","user":"junk-${i}"}`, `X-Request-Id: junk-${i}`),
  headers: (i: number, key: string) =>
    get("/v1/none", "GET", key, `X-Junk-${i}: junk`, `X-Signalbox-Team: junk-${i}`, `User-Agent: junk-${i}`),
} as const;

const hi = '{"role":"user","content":"hi"}';
// These open no connection of their own, and an answer to HEAD has no body to count.
const methods = METHODS.filter((name) => !["POST", "CONNECT", "HEAD"].includes(name));
const kinds = Object.values(junk);
/** Requests under way on one connection. */
const WINDOW = 50;
const LANES = 4;

function get(path: string, method: string, key: string, ...lines: string[]): string {
  return `${[`${method} ${path} HTTP/1.1`, "Host: x", `Authorization: Bearer ${key}`, ...lines].join("\r\n")}\r\n\r\n`;
}

function post(path: string, key: string, body: string, ...lines: string[]): string {
  return get(path, "POST", key, `Content-Length: ${body.length}`, ...lines) + body;
}

interface Pipelining {
  readonly port: number;
  readonly count: number;
  /** The `n`th request; answered without closing the connection. */
  readonly request: (n: number) => string;
}

/** Sends requests without waiting for each answer; resolves with how many had each status. Rejects when a connection ends early. */
export async function sendPipelined({ port, count, request }: Pipelining): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  const lanes = Array.from({ length: LANES }, (_, lane) => {
    const own = Math.floor(count / LANES) + (lane < count % LANES ? 1 : 0);
    return sendLane(port, own, (n) => request(n * LANES + lane), statuses);
  });
  await Promise.all(lanes);
  return statuses;
}

interface Junk extends Pick<Pipelining, "port" | "count"> {
  /** A right key, for junk that is to come further than a wrong one. */
  readonly key: string;
  /** The first number that is used. */
  readonly from: number;
}

/** Sends requests with names that nobody knows, each another one; resolves with how many had each status. */
export function sendJunk({ port, count, key, from }: Junk): Promise<Map<number, number>> {
  return sendPipelined({ port, count, request: (n) => kinds[n % kinds.length]!(from + n, key) });
}

function sendLane(
  port: number,
  count: number,
  request: (n: number) => string,
  statuses: Map<number, number>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let sent = 0;
    let answered = 0;
    let rest = "";
    const fill = (): void => {
      let bytes = "";
      while (sent < count && sent - answered < WINDOW) bytes += request(sent++);
      if (bytes !== "") socket.write(bytes);
    };
    socket.on("data", (chunk: Buffer) => {
      const text = rest + chunk.toString("latin1");
      let end = 0;
      for (const found of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
        statuses.set(Number(found[1]), (statuses.get(Number(found[1])) ?? 0) + 1);
        answered++;
        end = found.index + found[0].length;
      }
      rest = text.slice(Math.max(end, text.length - 13));
      if (answered === count) socket.end();
      else if (sent - answered < WINDOW / 2) fill();
    });
    socket.on("close", () => {
      if (answered === count) resolve();
      else reject(new Error(`a connection closed after ${answered} of ${count} answers`));
    });
    socket.on("error", () => {});
    fill();
  });
}
