import { coerceText, itemSchema, propertySchema } from "../coerce.ts";
import type { Cursor } from "../cursor.ts";
import { isSpace, MORE, NO, YES } from "../cursor.ts";
import { type Block, defineEnvelope, type Envelope } from "../dialect.ts";
import type { DeclaredTool, JsonSchema } from "../tools.ts";
import { take } from "./steps.ts";
import { onlyTurnEnds } from "./turn-ends.ts";
import { nameOf, tagHead } from "./xml-head.ts";

/** The special token in front of every tag. */
const MARK = "]<]minimax[>[";
const MAX_DEPTH = 64;
const ITEM = "item";

interface Element {
  readonly name: string;
  readonly children: Element[];
  readonly from: number;
  to: number;
}

/** Calls whose values are nested tags, each behind a special token: `<tool_call><invoke name="N"><K>V</K></invoke></tool_call>`. */
export const nestedTags: Envelope = defineEnvelope({
  opens: [MARK],
  endsThought: true,
  lookahead: (text, _at, _tools, ended, behind) => {
    if (behind === text.length) return ended ? NO : MORE;
    const next = text.charCodeAt(behind);
    return next === 0x3c || isSpace(next) ? YES : NO;
  },
  *grammar(read, block) {
    while (read.space() === MORE) yield;
    if ((yield* take(read, "<tool_call>")) !== YES) return false;
    for (let count = 0; ; count++) {
      while (read.space() === MORE) yield;
      if ((yield* take(read, MARK)) !== YES) return count > 0 && block.repairs && (yield* onlyTurnEnds(read));
      while (read.space() === MORE) yield;
      if ((yield* take(read, "</tool_call>")) === YES) return count > 0;
      if ((yield* take(read, "<invoke")) !== YES) return false;
      if (!(yield* invoke(read, block))) return false;
    }
  },
});

function* invoke(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
  read.mark();
  const name = nameOf((yield* tagHead(read)) ?? "");
  if (!block.accepts(name)) return false;
  const root: Element = { name: "invoke", children: [], from: read.offset, to: 0 };
  const open = [root];
  let repaired = false;
  while (open.length > 0) {
    const next = yield* nextTag(read, open.length === 1);
    if (next === undefined) {
      if (open.length > 1 || !read.atEnd || !block.repairs) return false;
      repaired = true;
      break;
    }
    if (next.closes) {
      if (open.at(-1)!.name !== next.name) return false;
      open.pop()!.to = next.at;
      continue;
    }
    if (open.length === MAX_DEPTH) return false;
    const element: Element = { name: next.name, children: [], from: read.offset, to: read.offset };
    open.at(-1)!.children.push(element);
    open.push(element);
  }
  const made = new Values(read.marked(), block.tools.get(name)).members(root, block.tools.get(name)?.parameters);
  block.call(name, made.json, { coerced: made.coerced, repaired });
  block.commit();
  return true;
}

interface Tag {
  readonly name: string;
  readonly closes: boolean;
  /** Where its token begins. */
  readonly at: number;
}

/** The next tag; between calls' parameters (`bare`) only whitespace may be in front of it. */
function* nextTag(read: Cursor, bare: boolean): Generator<undefined, Tag | undefined, undefined> {
  if (bare) {
    while (read.space() === MORE) yield;
    if ((yield* take(read, MARK)) !== YES) return undefined;
  } else {
    for (let found = read.find(MARK); found !== YES; found = read.find(MARK)) {
      if (found !== MORE) return undefined;
      yield;
    }
    read.skip(MARK.length);
  }
  const at = read.offset - MARK.length;
  while (read.space() === MORE) yield;
  const closes = (yield* take(read, "</")) === YES;
  if (!closes && (yield* take(read, "<")) !== YES) return undefined;
  const name = nameOf((yield* tagHead(read)) ?? "");
  return name === "" ? undefined : { name, closes, at };
}

interface Made {
  readonly json: string;
  readonly coerced: boolean;
}

/** Makes values of elements, typed by the tool's schema. */
class Values {
  readonly #text: string;
  readonly #root: JsonSchema;

  constructor(text: string, tool: DeclaredTool | undefined) {
    this.#text = text;
    this.#root = tool?.parameters ?? true;
  }

  /** The object that an element's children are; a repeated child makes an array. */
  members(element: Element, schema: JsonSchema | undefined): Made {
    const groups = Map.groupBy(element.children, ({ name }) => name);
    let coerced = false;
    const members = [...groups].flatMap(([name, elements]) => {
      const own = schema === undefined ? undefined : propertySchema(schema, name, this.#root);
      const value = elements.length > 1 ? this.#items(elements, own) : this.#value(elements[0]!, own);
      coerced ||= value?.coerced === true;
      return value === undefined ? [] : [`${JSON.stringify(name)}:${value.json}`];
    });
    return { json: `{${members.join(",")}}`, coerced };
  }

  #items(elements: readonly Element[], schema: JsonSchema | undefined): Made {
    const own = schema === undefined ? undefined : itemSchema(schema, this.#root);
    const values = elements.map((element) => this.#value(element, own)).filter((value) => value !== undefined);
    return { json: `[${values.map(({ json }) => json).join(",")}]`, coerced: values.some(({ coerced }) => coerced) };
  }

  /** Undefined = an empty element, which is no value of its type. */
  #value(element: Element, schema: JsonSchema | undefined): Made | undefined {
    const { children } = element;
    if (children.length > 0) {
      const isList = children.every(({ name }) => name === ITEM);
      return isList ? this.#items(children, schema) : this.members(element, schema);
    }
    const text = this.#text.slice(element.from, element.to);
    const value = coerceText(text, schema, this.#root);
    const json = value.json ?? emptyOf(schema);
    return json === undefined ? undefined : { json, coerced: value.coerced };
  }
}

/** The template writes an empty list or object as an element with nothing in it. */
function emptyOf(schema: JsonSchema | undefined): string | undefined {
  const type = typeof schema === "object" ? schema.type : undefined;
  return type === "array" ? "[]" : type === "object" ? "{}" : undefined;
}
