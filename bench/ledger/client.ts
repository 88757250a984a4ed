import type { Errand } from "./errand.ts";

/** Who sends an errand, and where. */
export interface Sender {
  readonly url: string;
  readonly key: string;
  readonly model: string;
  readonly id: string;
}

/** `done`: the client has seen all that it is charged for; `refused`: an error and nothing else; else what was not foreseen. */
export type Ending = "done" | "refused" | `unexpected: ${string}`;

/** Sends an errand as its act wants it, and says what the client saw. */
export async function send(errand: Errand, { url, key, model, id }: Sender): Promise<Ending> {
  const { act } = errand;
  const stream = act === "stream" || act === "leave" || act === "cut";
  const leaving = new AbortController();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, "x-request-id": id },
    body: JSON.stringify({
      model,
      stream,
      ...(stream && { stream_options: { include_usage: true } }),
      messages: [{ role: "user", content: JSON.stringify(errand) }],
    }),
    signal: leaving.signal,
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    return "refused";
  }
  if (act === "leave") return await leave(response, errand.after, leaving);
  const text = await response.text();
  return stream ? endOf(text, errand) : wholeOf(text, errand);
}

/** Reads as many pieces as the engine sends, and goes. */
async function leave(response: Response, after: number, leaving: AbortController): Promise<Ending> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(bytes, { stream: true });
    if (piecesIn(text) >= after) break;
  }
  leaving.abort();
  return piecesIn(text) === after ? "done" : `unexpected: ${piecesIn(text)} of ${after} pieces`;
}

const piecesIn = (text: string): number => text.split('"content":"word ').length - 1;

function endOf(text: string, { act, output, after }: Errand): Ending {
  const pieces = piecesIn(text);
  const whole = text.includes("data: [DONE]");
  if (act === "stream" && whole && pieces === output) return "done";
  if (act === "cut" && !whole && pieces === after) return "done";
  return `unexpected: ${act} with ${pieces} pieces${whole ? " and an end" : ""}`;
}

function wholeOf(text: string, { input, output }: Errand): Ending {
  const { usage } = JSON.parse(text) as { usage?: { prompt_tokens: number; completion_tokens: number } };
  const same = usage?.prompt_tokens === input && usage.completion_tokens === output;
  return same ? "done" : `unexpected: usage ${JSON.stringify(usage)}`;
}
