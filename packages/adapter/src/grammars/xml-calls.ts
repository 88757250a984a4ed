import { argumentsOfTexts, type CoercedArguments, propertySchema } from "../coerce.ts";
import type { Cursor } from "../cursor.ts";
import { MORE } from "../cursor.ts";
import { type Block, defineEnvelope, type Envelope } from "../dialect.ts";
import { readArguments } from "../json/call-objects.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import type { DeclaredTool } from "../tools.ts";
import { jsonArguments } from "./json-arguments.ts";
import type { Body, Surroundings } from "./tagged.ts";
import { isCutOff, onlyTurnEnds } from "./turn-ends.ts";
import { isDeclaredHead, nameOf, tagHead } from "./xml-head.ts";
import { parameterValue, stripNewlines, type ValueRules } from "./xml-value.ts";

/** How calls of one XML-like family are written: `<call name><parameter name>value</parameter></call>`. */
export type XmlShape = ValueRules;

/** A parameter as it was read. */
interface ReadParameter {
  readonly name: string;
  /** Where its value is, from the call's beginning. */
  readonly from: number;
  readonly to: number;
  /** DSML says itself whether a value is a string. */
  readonly isString: boolean | undefined;
  /** The value has no end of its own, and this is where text follows the call. */
  readonly rest: number | undefined;
}

type What = "call" | "endCall" | "parameter";

/** Reads one call whose tag's literal was read already. */
function xmlReader(
  shape: XmlShape,
): (read: Cursor, block: Block, around: Surroundings) => Generator<undefined, boolean, undefined> {
  const inside = new LiteralSet<What>([
    ...shape.calls.map((literal) => [literal, "call"] as const),
    ...shape.endCalls.map((literal) => [literal, "endCall"] as const),
    ...shape.parameters.map(({ open }) => [open, "parameter"] as const),
  ]);
  const closers = new Map(shape.parameters.map(({ open, close }) => [open, close]));
  return function* readCall(read, block, around) {
    read.mark();
    const head = yield* tagHead(read);
    if (head === undefined) return false;
    const name = nameOf(head);
    if (!block.accepts(name)) return false;
    const parameters: ReadParameter[] = [];
    let repaired = false;
    for (;;) {
      while (read.space() === MORE) yield;
      if ((read.code() === 0x7b || read.code() === 0x22) && parameters.length === 0)
        return yield* jsonBody(read, block, name, shape, around);
      let next = read.peek(inside);
      for (; next === PARTIAL; next = read.peek(inside)) yield;
      if (next?.value === "parameter") {
        read.skip(next.literal.length);
        const parameter = yield* readParameter(read, block, shape, around, closers.get(next.literal)!);
        if (parameter === undefined) return false;
        parameters.push(parameter);
        if (parameter.rest === undefined) continue;
        repaired = true;
      } else if (next?.value === "endCall") read.skip(next.literal.length);
      else {
        // Another call begins, or all is over: the call's closing tag was forgotten.
        if (next === undefined && !(yield* isOver(read, block, shape, around))) return false;
        repaired = true;
      }
      return finish(read, block, shape, name, parameters, repaired);
    }
  };
}

/** The call's closing tag is missing: may it be over all the same? */
function* isOver(
  read: Cursor,
  block: Block,
  { endCalls }: XmlShape,
  { closes }: Surroundings,
): Generator<undefined, boolean, undefined> {
  let close = read.peek(closes);
  for (; close === PARTIAL; close = read.peek(closes)) yield;
  if (close !== undefined) return true;
  if (block.repairs && isCutOff(read, endCalls)) return true;
  read.hold();
  const isOver = yield* onlyTurnEnds(read);
  read.back();
  return isOver && block.repairs;
}

function* readParameter(
  read: Cursor,
  block: Block,
  shape: XmlShape,
  around: Surroundings,
  close: string,
): Generator<undefined, ReadParameter | undefined, undefined> {
  const head = yield* tagHead(read);
  if (head === undefined) return undefined;
  const from = read.offset;
  const end = yield* parameterValue(read, block, shape, around, close);
  if (end === undefined) return undefined;
  const string = /\bstring\s*=\s*["']?(true|false)/.exec(head)?.[1];
  return {
    name: nameOf(head),
    from,
    to: end.to,
    rest: end.rest,
    isString: string === undefined ? undefined : string === "true",
  };
}

function finish(
  read: Cursor,
  block: Block,
  { newlines }: XmlShape,
  name: string,
  parameters: readonly ReadParameter[],
  repaired: boolean,
): boolean {
  const text = read.marked();
  const texts = parameters.map((one) => ({ ...one, text: stripNewlines(text.slice(one.from, one.to), newlines) }));
  const tool = block.tools.get(name);
  const { json, coerced } = wrappedArguments(texts, tool) ?? argumentsOfTexts(texts, tool);
  const rest = parameters.at(-1)?.rest;
  block.call(name, json, { coerced, repaired });
  if (rest === undefined) block.commit();
  else block.content(text.slice(rest));
  return true;
}

const wrappers = new Set(["arguments", "parameters", "properties", "input"]);

/** The only parameter is none of the tool's: it holds all arguments as an object. */
function wrappedArguments(
  [first, ...others]: readonly { readonly name: string; readonly text: string }[],
  tool: DeclaredTool | undefined,
): CoercedArguments | undefined {
  const root = tool?.parameters;
  if (first === undefined || others.length > 0 || !wrappers.has(first.name) || root === undefined) return undefined;
  if (propertySchema(root, first.name, root) !== undefined || !first.text.trimStart().startsWith("{")) return undefined;
  const json = readArguments(first.text);
  return json === undefined ? undefined : { json: json.json, coerced: true };
}

/** `<function=N>{json}</function>`. */
function* jsonBody(
  read: Cursor,
  block: Block,
  name: string,
  shape: XmlShape,
  around: Surroundings,
): Generator<undefined, boolean, undefined> {
  const ends = LiteralSet.of(...shape.endCalls);
  const json = yield* jsonArguments(read, ends);
  if (json === undefined) return false;
  while (read.space() === MORE) yield;
  let end = read.peek(ends);
  for (; end === PARTIAL; end = read.peek(ends)) yield;
  if (end !== undefined) read.skip(end.literal.length);
  else if (!(yield* isOver(read, block, shape, around))) return false;
  block.call(name, json.json, { repaired: json.repaired || end === undefined });
  block.commit();
  return true;
}

/** Calls of this shape, inside an envelope. */
export function xmlCalls(shape: XmlShape): Body {
  const reader = xmlReader(shape);
  const literals = LiteralSet.of(...shape.calls);
  return {
    starts: shape.calls,
    *read(read, block, around) {
      const call = read.peek(literals);
      if (call === undefined || call === PARTIAL) return false;
      read.skip(call.literal.length);
      return yield* reader(read, block, around);
    },
  };
}

const nothing: Surroundings = { closes: new LiteralSet([]) };

/** Calls of this shape without an envelope: only declared names. */
export function bareXmlCall(shape: XmlShape): Envelope {
  const reader = xmlReader(shape);
  return defineEnvelope({
    opens: shape.calls,
    weak: true,
    lookahead: isDeclaredHead,
    grammar: (read, block) => reader(read, block, nothing),
  });
}
