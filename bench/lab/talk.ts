/** A reply as an engine says it, and where in its bytes it has said what. */
export interface Talk {
  readonly body: Buffer;
  /** Bytes until the end of each token's event; a whole reply has none. */
  readonly tokenEnds: readonly number[];
  /** A reply that ends before this byte has not said that it is finished. */
  readonly finishedAt: number;
}

/** What every reply says that its prompt had. */
export const promptTokens = 84;

/** The token of an engine at a place of its reply: lost, doubled and foreign ones show. Two bytes of it are one letter. */
const tokenText = (engine: string, index: number): string => `${engine}é${index} `;

/** All tokens of a reply. */
export const replyText = (engine: string, tokens: number): string =>
  Array.from({ length: tokens }, (_, index) => tokenText(engine, index)).join("");

/** Arguments of the one tool call of a reply, in as many pieces as it has tokens. */
export const callArguments = (engine: string, tokens: number): string =>
  JSON.stringify({ text: replyText(engine, tokens) });

const usageOf = (tokens: number) => ({
  prompt_tokens: promptTokens,
  completion_tokens: tokens,
  total_tokens: promptTokens + tokens,
});
const head = { id: "chatcmpl-lab", created: 1_763_000_000, model: "lab" };
const event = (fields: object): Buffer => Buffer.from(`data: ${JSON.stringify(fields)}\n\n`);
const delta = (fields: object, finish: string | null = null): Buffer =>
  event({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: fields, logprobs: null, finish_reason: finish }],
  });

function streamed(engine: string, tokens: number, toolCall: boolean): Talk {
  const events = [delta({ role: "assistant", content: "" })];
  const tokenEnds: number[] = [];
  let length = events[0]!.length;
  const text = toolCall ? callArguments(engine, tokens) : "";
  const size = Math.ceil(text.length / tokens);
  for (let index = 0; index < tokens; index++) {
    const call = {
      index: 0,
      ...(index === 0 ? { id: `call_${engine}`, type: "function" } : {}),
      function: { ...(index === 0 ? { name: "note" } : {}), arguments: text.slice(index * size, (index + 1) * size) },
    };
    const next = delta(toolCall ? { tool_calls: [call] } : { content: tokenText(engine, index) });
    length += next.length;
    events.push(next);
    tokenEnds.push(length);
  }
  const finish = delta({}, toolCall ? "tool_calls" : "stop");
  events.push(finish, event({ ...head, object: "chat.completion.chunk", choices: [], usage: usageOf(tokens) }));
  events.push(Buffer.from("data: [DONE]\n\n"));
  // The event is there with its line; the blank line behind it adds nothing.
  return { body: Buffer.concat(events), tokenEnds, finishedAt: length + finish.length - 2 };
}

function whole(engine: string, tokens: number, toolCall: boolean): Talk {
  const call = {
    id: `call_${engine}`,
    type: "function",
    function: { name: "note", arguments: callArguments(engine, tokens) },
  };
  const message = toolCall
    ? { role: "assistant", content: null, tool_calls: [call] }
    : { role: "assistant", content: replyText(engine, tokens) };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: toolCall ? "tool_calls" : "stop" }];
  const body = Buffer.from(JSON.stringify({ ...head, object: "chat.completion", choices, usage: usageOf(tokens) }));
  return { body, tokenEnds: [], finishedAt: body.length };
}

const known = new Map<string, Talk>();

/** What an engine of this name says, streamed or whole. Made once for each length; the buffers are shared. */
export function talkOf(engine: string, request: { stream: boolean; tokens: number; toolCall: boolean }): Talk {
  const { stream, tokens, toolCall } = request;
  const key = `${engine} ${stream} ${tokens} ${toolCall}`;
  let talk = known.get(key);
  if (talk === undefined) {
    talk = (stream ? streamed : whole)(engine, tokens, toolCall);
    known.set(key, talk);
  }
  return talk;
}
