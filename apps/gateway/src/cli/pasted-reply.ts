import { createSseDecoder } from "@signalbox/protocol";

/** A reply that somebody pasted, as far as a dialect can be seen in it. */
export interface PastedReply {
  /** The text of the model: the content of the first choice, or all that was pasted. */
  readonly text: string;
  readonly form: "text" | "completion" | "stream";
  /** The engine's finish_reason; `stop` where it is not known. */
  readonly finish: string;
  /** Calls that the engine has parsed by itself. */
  readonly engineCalls: number;
  /** Length of the reasoning that the engine has split off, in UTF-16 code units. */
  readonly engineReasoning: number;
}

interface Part {
  readonly content?: unknown;
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
  readonly tool_calls?: unknown;
}
interface PastedChoice {
  readonly index?: unknown;
  readonly message?: Part | null;
  readonly delta?: Part | null;
  readonly text?: unknown;
  readonly finish_reason?: unknown;
}

/**
 * Reads what was pasted: the text of a reply, a chat completion as JSON, or a dump of its stream, with the head that
 * `curl -i` prints or without.
 */
export function readPastedReply(pasted: string): PastedReply {
  const body = pasted.replace(/^HTTP\/[\s\S]*?\r?\n\r?\n/, "");
  const completion = choicesOf(parse(body));
  if (completion !== undefined) return gather(completion, "completion");
  if (/^data:/m.test(body)) {
    const decoder = createSseDecoder();
    const events = [...decoder.push(Buffer.from(body)), ...decoder.end()];
    const chunks = events.map(({ json }) => choicesOf(json)).filter((choices) => choices !== undefined);
    if (chunks.length > 0) return gather(chunks.flat(), "stream");
  }
  return { text: pasted, form: "text", finish: "stop", engineCalls: 0, engineReasoning: 0 };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function choicesOf(json: unknown): readonly PastedChoice[] | undefined {
  const choices = (json as { choices?: unknown } | null | undefined)?.choices;
  if (!Array.isArray(choices)) return undefined;
  return choices.filter((choice): choice is PastedChoice => typeof choice === "object" && choice !== null);
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The first choice, whole or in pieces. */
function gather(choices: readonly PastedChoice[], form: "completion" | "stream"): PastedReply {
  const first = choices[0]?.index;
  const calls = new Set<string>();
  let text = "";
  let engineReasoning = 0;
  let finish = "stop";
  for (const choice of choices.filter(({ index }) => index === first)) {
    const part: Part = choice.message ?? choice.delta ?? {};
    text += textOf(part.content) + textOf(choice.text);
    engineReasoning += (textOf(part.reasoning_content) || textOf(part.reasoning)).length;
    finish = textOf(choice.finish_reason) || finish;
    const toolCalls: unknown[] = Array.isArray(part.tool_calls) ? part.tool_calls : [];
    for (const [place, call] of toolCalls.entries()) {
      calls.add(String((form === "stream" && (call as { index?: unknown } | null)?.index) || place));
    }
  }
  return { text, form, finish, engineCalls: calls.size, engineReasoning };
}
