import { extraEvents, tokenText } from "./answers.ts";

interface ChatChunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly completion_tokens?: number } | null;
}

/** Looks at every event of one stream. Each method throws an Error that says what is wrong. */
export interface StreamCheck {
  /** Takes the next piece of the body. */
  read(bytes: Buffer): void;
  /** Content events that arrived so far. */
  tokens(): number;
  /** The body is over: every token came once and in order, then the finish_reason, usage and `[DONE]`. */
  end(): void;
}

/** Checks a stream of so many content events as the bench's upstream sends it, whatever the model is called. */
export function createStreamCheck(tokens: number): StreamCheck {
  let kept = "";
  let seen = 0;
  let events = 0;
  const endings: string[] = [];

  function take(event: string): void {
    if (!event.startsWith("data: ")) throw new Error(`not an event: ${JSON.stringify(event.slice(0, 200))}`);
    events++;
    const data = event.slice("data: ".length);
    if (data === "[DONE]") {
      endings.push("[DONE]");
      return;
    }
    const chunk = JSON.parse(data) as ChatChunk;
    const choice = chunk.choices?.[0];
    const text = choice?.delta?.content;
    if (text !== undefined && text !== "") {
      if (text !== tokenText(seen)) throw new Error(`token ${seen} is ${JSON.stringify(text)}`);
      seen++;
    }
    if (choice?.finish_reason) endings.push(choice.finish_reason);
    if (chunk.usage) endings.push(`usage ${chunk.usage.completion_tokens}`);
  }

  return {
    read(bytes) {
      const parts = (kept + bytes.toString("latin1")).split("\n\n");
      kept = parts.pop() ?? "";
      for (const event of parts) take(event);
    },
    tokens: () => seen,
    end() {
      const expected = `stop, usage ${tokens}, [DONE]`;
      if (kept !== "") throw new Error(`the stream ends within an event: ${JSON.stringify(kept.slice(0, 200))}`);
      if (seen !== tokens) throw new Error(`${seen} tokens came, ${tokens} were sent`);
      if (endings.join(", ") !== expected)
        throw new Error(`the stream ends with «${endings.join(", ")}», not «${expected}»`);
      if (events !== tokens + extraEvents) throw new Error(`${events} events came, ${tokens + extraEvents} were sent`);
    },
  };
}
