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
const delta = (fields: object, finish: string | null = null, usage?: object): Buffer =>
  event({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: fields, logprobs: null, finish_reason: finish }],
    usage,
  });

/** The deltas of a tool call, as many as there are tokens. */
function callDeltas(engine: string, tokens: number): object[] {
  const text = callArguments(engine, tokens);
  const size = Math.ceil(text.length / tokens);
  return Array.from({ length: tokens }, (_, index) => {
    const named = index === 0 ? { id: `call_${engine}`, type: "function" } : {};
    const part = { ...(index === 0 ? { name: "note" } : {}), arguments: text.slice(index * size, (index + 1) * size) };
    return { tool_calls: [{ index: 0, ...named, function: part }] };
  });
}

/** The deltas of the text behind `begun`; of a token that is begun its rest, which is no token of its own. */
function textDeltas(engine: string, tokens: number, begun: string): object[] {
  let known = begun.length;
  return Array.from({ length: tokens }, (_, index) => {
    const text = tokenText(engine, index);
    const rest = text.slice(known);
    known = Math.max(0, known - text.length);
    return rest === "" ? [] : [{ content: rest }];
  }).flat();
}

function streamed(engine: string, { tokens, toolCall, counts = false, begun = "" }: Asked): Talk {
  const soFar = (count: number) => (counts ? usageOf(count) : undefined);
  const events = [delta({ role: "assistant", content: "" }, null, soFar(0))];
  const tokenEnds: number[] = [];
  let length = events[0]!.length;
  const deltas = toolCall ? callDeltas(engine, tokens) : textDeltas(engine, tokens, begun);
  const said = begun.split(" ").filter((word) => word !== "").length;
  for (const [index, fields] of deltas.entries()) {
    const next = delta(fields, null, soFar(index + 1 + tokens - said - deltas.length));
    length += next.length;
    events.push(next);
    tokenEnds.push(length);
  }
  const finish = delta({}, toolCall ? "tool_calls" : "stop", soFar(tokens - said));
  events.push(finish, event({ ...head, object: "chat.completion.chunk", choices: [], usage: usageOf(tokens - said) }));
  events.push(Buffer.from("data: [DONE]\n\n"));
  // The event is there with its line; the blank line behind it adds nothing.
  return { body: Buffer.concat(events), tokenEnds, finishedAt: length + finish.length - 2 };
}

function whole(engine: string, { tokens, toolCall }: Asked): Talk {
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

/** What is asked of an engine. */
interface Asked {
  readonly stream: boolean;
  readonly tokens: number;
  readonly toolCall: boolean;
  /** Every event of the stream tells the tokens so far. */
  readonly counts?: boolean;
  /** The reply was begun elsewhere, and goes on behind this text. */
  readonly begun?: string;
}

/** What an engine of this name says, streamed or whole. Made once for each length; the buffers are shared. */
export function talkOf(engine: string, asked: Asked): Talk {
  const say = asked.stream ? streamed : whole;
  if (asked.begun !== undefined) return say(engine, asked);
  const { stream, tokens, toolCall, counts = false } = asked;
  const key = `${engine} ${stream} ${tokens} ${toolCall} ${counts}`;
  let talk = known.get(key);
  if (talk === undefined) {
    talk = say(engine, asked);
    known.set(key, talk);
  }
  return talk;
}
