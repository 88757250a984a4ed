import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";

/** What a client saw of one answer, to the last byte. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
  /** False when the connection broke before the end that HTTP announces. */
  readonly whole: boolean;
  /** Milliseconds until headers, and until the end. */
  readonly headersMs: number;
  readonly ms: number;
}

export interface Ask {
  readonly body: unknown;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called with what came, as it comes. */
  readonly onData?: (text: string) => void;
  /** Leaves when it fires: the connection is destroyed. */
  readonly signal?: AbortSignal;
}

const agent = new Agent({ keepAlive: false, maxSockets: 1000 });

/** Sends one request on a connection of its own. Rejects only when nothing at all came back. */
export function ask(
  url: string,
  { body, path = "/v1/chat/completions", headers = {}, onData, signal }: Ask,
): Promise<Answer> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const sent: ClientRequest = request(
      new URL(path, url),
      { method: "POST", agent, headers: { "content-type": "application/json", ...headers }, ...(signal && { signal }) },
      (response: IncomingMessage) => {
        const headersMs = performance.now() - started;
        const chunks: Buffer[] = [];
        const settle = (): void => {
          const text = Buffer.concat(chunks).toString("utf8");
          const { statusCode: status = 0, complete: whole } = response;
          const seen = response.headers as Record<string, string | undefined>;
          resolve({ status, headers: seen, text, whole, headersMs, ms: performance.now() - started });
        };
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          onData?.(chunk.toString("utf8"));
        });
        response.on("error", () => {});
        response.on("close", settle);
      },
    );
    sent.on("error", reject);
    sent.end(typeof body === "string" ? body : JSON.stringify(body));
  });
}

interface Chunk {
  readonly id?: string;
  readonly model?: string;
  readonly created?: number;
  readonly error?: { readonly code?: string; readonly type?: string; readonly message?: string };
  readonly usage?: { readonly completion_tokens?: number } | null;
  readonly choices?: readonly {
    readonly index: number;
    readonly delta?: { readonly content?: string | null; readonly tool_calls?: readonly unknown[] };
    readonly message?: { readonly content?: string | null };
    readonly text?: string;
    readonly finish_reason?: string | null;
  }[];
}

/** A reply as a careful client reads it. */
export interface Reading {
  readonly content: string;
  /** In the order seen, over all choices. */
  readonly finishes: readonly string[];
  readonly done: boolean;
  readonly error: Chunk["error"];
  readonly chunks: readonly Chunk[];
  readonly usage: Chunk["usage"];
}

/** Reads an answer, streamed or not; throws where an event is not JSON. */
export function readAnswer({ text, headers }: Pick<Answer, "text" | "headers">): Reading {
  const streamed = headers["content-type"]?.startsWith("text/event-stream") === true;
  const events = streamed ? eventsOf(text) : [text];
  const chunks = events.filter((event) => event !== "[DONE]").map((event) => JSON.parse(event) as Chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices ?? []);
  const piece = (choice: (typeof choices)[number]): string =>
    choice.delta?.content ?? choice.message?.content ?? choice.text ?? "";
  return {
    content: choices.map(piece).join(""),
    finishes: choices.flatMap(({ finish_reason }) => (typeof finish_reason === "string" ? [finish_reason] : [])),
    done: events.includes("[DONE]"),
    error: chunks.find(({ error }) => error !== undefined)?.error,
    chunks,
    usage: chunks.findLast(({ usage }) => usage !== undefined && usage !== null)?.usage,
  };
}

/** Payloads of whole events; Signalbox writes them all as `data: ...` and a blank line, with comments between them to show life. */
function eventsOf(text: string): string[] {
  const parts = text.split("\n\n");
  const rest = parts.pop();
  if (rest !== "") throw new Error(`the stream ends inside an event: ${rest?.slice(0, 80)}`);
  return parts.flatMap((part) => {
    if (/^: [^\n]*$/.test(part)) return [];
    if (!part.startsWith("data: ") || part.includes("\n")) throw new Error(`not one data line: ${part.slice(0, 80)}`);
    return part.slice("data: ".length);
  });
}
