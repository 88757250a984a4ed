/** The parts of a chat that the router looks at. */
export interface Messages {
  readonly count: number;
  /** Every text that the model will read, in order. */
  readonly texts: readonly string[];
  readonly userTurns: readonly string[];
  /** System and developer prompts, joined. */
  readonly systemPrompt: string;
  readonly images: number;
  /** There are tool calls or results. */
  readonly usedTools: boolean;
}

const imageParts: ReadonlySet<unknown> = new Set(["image_url", "input_image", "image"]);
const textParts: ReadonlySet<unknown> = new Set(["text", "input_text", "output_text"]);
const toolParts: ReadonlySet<unknown> = new Set(["tool_use", "tool_result"]);
/** Deeper than any real schema; a body's depth is capped before it gets here. */
const MAX_DEPTH = 64;

/** Reads `messages` without trusting their form. The bytes of images and sounds are not read. */
export function readMessages(body: Readonly<Record<string, unknown>>): Messages {
  const messages = Array.isArray(body.messages) ? (body.messages as readonly unknown[]) : [];
  const texts: string[] = [];
  const userTurns: string[] = [];
  const system: string[] = [];
  let images = 0;
  let usedTools = false;
  for (const message of messages) {
    if (!isObject(message)) continue;
    const content = readContent(message.content);
    images += content.images;
    if (content.text !== "") texts.push(content.text);
    if (message.role === "user" && !content.toolPart) userTurns.push(content.text);
    if (message.role === "system" || message.role === "developer") system.push(content.text);
    if (typeof message.reasoning_content === "string") texts.push(message.reasoning_content);
    const calls = Array.isArray(message.tool_calls) ? message.tool_calls : [];
    for (const call of calls) texts.push(...callTexts(call));
    if (calls.length > 0 || isObject(message.function_call)) usedTools = true;
    if (message.role === "tool" || message.role === "function" || content.toolPart) usedTools = true;
  }
  return { count: messages.length, texts, userTurns, systemPrompt: system.join("\n"), images, usedTools };
}

function readContent(content: unknown): { text: string; images: number; toolPart: boolean } {
  if (typeof content === "string") return { text: content, images: 0, toolPart: false };
  const read = { text: "", images: 0, toolPart: false };
  if (!Array.isArray(content)) return read;
  for (const part of content as readonly unknown[]) {
    if (!isObject(part)) continue;
    if (imageParts.has(part.type)) read.images++;
    if (toolParts.has(part.type)) read.toolPart = true;
    if (textParts.has(part.type) && typeof part.text === "string") {
      read.text += read.text === "" ? part.text : `\n${part.text}`;
    }
  }
  return read;
}

function callTexts(call: unknown): string[] {
  if (!isObject(call) || !isObject(call.function)) return [];
  const { name, arguments: values } = call.function;
  return [name, values].filter((text) => typeof text === "string");
}

/** About how long a value is as JSON text, without making that text. */
export function lengthOf(value: unknown, depth = 0): number {
  if (typeof value === "string") return value.length + 2;
  if (value === undefined) return 0;
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return 4;
  let length = 2;
  if (Array.isArray(value)) for (const item of value) length += lengthOf(item, depth + 1) + 1;
  else for (const [key, member] of Object.entries(value)) length += key.length + 4 + lengthOf(member, depth + 1);
  return length;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
