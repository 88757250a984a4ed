import type { Cursor } from "../cursor.ts";
import { MORE } from "../cursor.ts";
import type { Block } from "../dialect.ts";
import { readCallObjects } from "../json/call-objects.ts";
import { JsonSpan, type SpanJudge } from "../json/json-span.ts";
import { repairJson } from "../json/repair-json.ts";
import { PARTIAL } from "../literals.ts";
import type { Body, Surroundings } from "./tagged.ts";
import { onlyTurnEnds } from "./turn-ends.ts";

/** Reads one JSON value that begins here. Its text, whether closers were missing, or undefined at a fault. */
export function* jsonValue(
  read: Cursor,
  span = new JsonSpan(),
): Generator<undefined, { readonly text: string; readonly lacksClosers: boolean } | undefined, undefined> {
  read.mark();
  for (;;) {
    read.scan(span.read);
    if (span.state !== "open" || read.ended) break;
    yield;
  }
  if (span.state === "done") return { text: read.marked(), lacksClosers: false };
  return span.lacksOnlyClosers ? { text: read.marked(), lacksClosers: true } : undefined;
}

/** Hands the calls of a JSON text to the block; false when it is anything but calls. */
function takeCalls(block: Block, text: string, repaired: boolean): boolean {
  const objects = readCallObjects(text);
  if (objects === undefined || !objects.every(({ name }) => block.accepts(name))) return false;
  for (const { name, arguments: json, id, ...how } of objects)
    block.call(name, json, { id: isOwnId(id) ? id : undefined, repaired: repaired || how.repaired });
  return true;
}

/** Mistral's ids have nine characters; shorter ones are numbers that begin anew in every turn. */
function isOwnId(id: string | undefined): boolean {
  return id !== undefined && id.length >= 9;
}

function* readJsonCalls(read: Cursor, block: Block, around: Surroundings): Generator<undefined, boolean, undefined> {
  const span = new JsonSpan();
  const value = yield* jsonValue(read, span);
  if (value === undefined) return false;
  if (!value.lacksClosers) return takeCalls(block, value.text, false);
  // Closers are put right where the model went on to the closing tag, or ended by itself with only the outermost open.
  let close = read.peek(around.closes);
  for (; close === PARTIAL; close = read.peek(around.closes)) yield;
  if (close === undefined && !(yield* lacksOneBrace(read, block, span))) return false;
  const whole = repairJson(value.text, { close: true });
  return whole !== undefined && takeCalls(block, whole, true);
}

/** The model ended by itself, and all that is missing is the last bracket behind a name and its arguments. */
function* lacksOneBrace(read: Cursor, block: Block, span: JsonSpan): Generator<undefined, boolean, undefined> {
  return span.depth === 1 && span.keys > 1 && (yield* onlyTurnEnds(read)) && block.repairs;
}

/** `{"name", "arguments"}`, or an array of such. */
export const jsonCalls: Body = { starts: ["{", "["], read: readJsonCalls };

/** Keys that an object has which is a call; one other key makes it an answer. */
const callKeys = new Set([
  "name",
  "tool",
  "tool_name",
  "function",
  "arguments",
  "parameters",
  "args",
  "input",
  "type",
  "id",
  "tool_call_id",
]);

function judgeOf(block: Block): SpanJudge {
  return { key: (key) => callKeys.has(key), name: (name) => name === "function" || block.tools.has(name) };
}

/** Calls without any envelope: the whole content is objects or arrays of calls, else it is an answer. */
export function* bareCalls(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
  for (let count = 0; ; count++) {
    while (read.space() === MORE) yield;
    if (read.atEnd) return count > 0 && block.repairs;
    if (count > 0 && (read.code() === 0x3b || read.code() === 0x2c)) {
      read.skip(1);
      continue;
    }
    if (read.code() !== 0x7b && read.code() !== 0x5b) return count > 0 && (yield* onlyTurnEnds(read));
    if (!(yield* bareCall(read, block))) return false;
  }
}

/** One object or array of calls with declared names. */
export function* bareCall(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
  const span = new JsonSpan(judgeOf(block));
  const value = yield* jsonValue(read, span);
  if (value === undefined) return false;
  if (!value.lacksClosers) return takeCalls(block, value.text, false);
  const whole = (yield* lacksOneBrace(read, block, span)) ? repairJson(value.text, { close: true }) : undefined;
  return whole !== undefined && takeCalls(block, whole, true);
}
