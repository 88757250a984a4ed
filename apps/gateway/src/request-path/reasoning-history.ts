import {
  type JsonMember,
  type JsonSpan,
  type ReasoningPlace,
  reasoningFields,
  scanElements,
  scanMembersAt,
  spliceElements,
  spliceMembers,
} from "@signalbox/protocol";

type Fields = Readonly<Record<string, unknown>>;

/** The reasoning of earlier turns that a client sends back: where `messages` stands, and those of them that have any. */
export interface ReasoningHistory {
  readonly list: JsonSpan;
  readonly elements: readonly JsonSpan[];
  readonly reasoned: readonly ReasonedMessage[];
  /** Some of it is recalled: its client did not send it. */
  readonly hasRecalled: boolean;
}

interface ReasonedMessage {
  readonly index: number;
  readonly message: Fields;
  readonly members: readonly JsonMember[];
  /** The inside of a JSON string that stands for what the client sent. */
  readonly recalled: string | undefined;
}

const nothing: ReadonlyMap<number, string> = new Map();

/**
 * Finds the assistant messages with a field for reasoning; undefined when there is none, as mostly. `recalled` has the
 * reasoning of messages, by their place, whose client dropped it, as the inside of a JSON string.
 * @throws GatewayError `duplicate_key` when such a message has a key twice.
 */
export function findReasoning(
  bytes: Buffer,
  members: readonly JsonMember[],
  messages: readonly Fields[],
  recalled = nothing,
): ReasoningHistory | undefined {
  const hasRecalled = recalled.size > 0;
  if (!hasRecalled && !messages.some(hasReasoningField)) return undefined;
  const list = members.find(({ key }) => key === "messages")!;
  const elements = scanElements(bytes, list.valueStart);
  const reasoned = messages.flatMap((message, index): ReasonedMessage[] => {
    if (!hasReasoningField(message) && !recalled.has(index)) return [];
    const members = scanMembersAt(bytes, elements[index]!.valueStart);
    return [{ index, message, members, recalled: recalled.get(index) }];
  });
  return { list, elements, reasoned, hasRecalled };
}

function hasReasoningField({ role, reasoning_content, reasoning, reasoning_details }: Fields): boolean {
  const given = reasoning_content !== undefined || reasoning !== undefined || reasoning_details !== undefined;
  return given && role === "assistant";
}

/**
 * `messages` with all reasoning at one place, as JSON: moved byte for byte where it is a text already. The fields that
 * are not the place are taken out, and so is an empty one or a null, which some engines refuse. Without a place, what the
 * client sent stays as it came, and what is recalled is `reasoning_content`, as the client had it.
 */
export function placeReasoning(bytes: Buffer, history: ReasoningHistory, place: ReasoningPlace | undefined): Buffer {
  const edited = new Map<number, Buffer>();
  for (const reasoned of history.reasoned) {
    if (place === undefined && reasoned.recalled === undefined) continue;
    const edits = editsOf(bytes, reasoned, place ?? "reasoning_content");
    if (Object.keys(edits).length === 0) continue;
    edited.set(reasoned.index, spliceMembers(bytes, reasoned.members, edits, history.elements[reasoned.index]));
  }
  return spliceElements(bytes, history.list, history.elements, edited);
}

function editsOf(
  bytes: Buffer,
  { message, members, recalled }: ReasonedMessage,
  place: ReasoningPlace,
): Record<string, string | undefined> {
  const edits: Record<string, string | undefined> = {};
  const stays =
    recalled === undefined ? reasoningFields.find((field) => field === place && !isEmpty(message[field])) : undefined;
  for (const field of reasoningFields) if (field !== stays && Object.hasOwn(message, field)) edits[field] = undefined;
  const { content, tool_calls } = message;
  const noContent = content === null || content === undefined;
  // What is left of a reply that was thought alone: without any content some engines refuse the message.
  if (noContent && isEmpty(tool_calls)) edits.content = '""';
  if (place === "drop" || stays !== undefined) return edits;
  const source = (key: string) => textInside(bytes, members, key);
  const text = recalled ?? reasoningText(message, source);
  if (text === undefined) return edits;
  if (place === "reasoning_details") edits[place] = `[{"type":"reasoning.text","text":"${text}"}]`;
  else if (place !== "inline") edits[place] = `"${text}"`;
  else if (!beginsWithThought(content)) {
    const thought = String.raw`<think>\n${text}\n</think>\n\n`;
    if (Array.isArray(content)) edits.content = withFirstPart(thought, source("content"));
    else edits.content = `"${thought}${noContent ? "" : source("content")}"`;
  }
  return edits;
}

/** Does it hold nothing: absent, null, `""` or `[]`? */
export function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** The inside of a string or a list, as it stands in the bytes. */
function textInside(bytes: Buffer, members: readonly JsonMember[], key: string): string {
  const { valueStart, valueEnd } = members.find((member) => member.key === key)!;
  return bytes.toString("utf8", valueStart + 1, valueEnd - 1);
}

/** The inside of a JSON string with the reasoning; undefined when all that there is cannot be read (signed, encrypted). */
function reasoningText(message: Fields, source: (key: string) => string): string | undefined {
  for (const field of ["reasoning_content", "reasoning"]) if (!isEmpty(message[field])) return source(field);
  const text = textOf(message.reasoning_details);
  return text === "" ? undefined : JSON.stringify(text).slice(1, -1);
}

interface Detail {
  readonly text?: string | null;
  readonly summary?: string | readonly Detail[] | null;
}

/** The text of details in one piece: some clients collect the pieces of a stream as they came. */
function textOf(details: unknown): string {
  if (!Array.isArray(details)) return typeof details === "string" ? details : "";
  return (details as readonly Detail[]).map(({ text, summary }) => text ?? textOf(summary)).join("");
}

function beginsWithThought(content: unknown): boolean {
  const first = Array.isArray(content) ? (content[0] as Fields | undefined)?.text : content;
  return typeof first === "string" && /^\s*<think>/.test(first);
}

function withFirstPart(thought: string, others: string): string {
  return `[{"type":"text","text":"${thought}"}${others.trim() === "" ? "" : `,${others}`}]`;
}
