import { compare, namesModel } from "./conditions.ts";
import { type Comparison, type Condition, complexities } from "./policy.ts";
import { isEmptyText, type Texts } from "./text-space.ts";

const flagNames = ["has_tools", "has_images", "json_schema"] as const;
type Flag = (typeof flagNames)[number];

/** A set of requests: what is possible on each axis. A condition is a union of boxes. */
export interface Box {
  /** By axis: `team`, `model`, `header x-name`. */
  readonly texts: Readonly<Record<string, Texts>>;
  readonly tokens: readonly [least: number, most: number];
  /** A bit for each complexity. */
  readonly complexity: number;
  /** Bit 1: false is possible, bit 2: true is possible. */
  readonly flags: Readonly<Record<Flag, number>>;
}

/** A condition that falls into more boxes than this is not analysed. */
const MAX_BOXES = 256;
const everyComplexity = 2 ** complexities.length - 1;
const everything: Box = {
  texts: {},
  tokens: [0, Number.POSITIVE_INFINITY],
  complexity: everyComplexity,
  flags: { has_tools: 3, has_images: 3, json_schema: 3 },
};

/** The requests that a rule is asked about and matches. Undefined = too intricate to tell. */
export function requestsOf(when: Condition): readonly Box[] | undefined {
  const boxes = boxesOf(when);
  if (boxes === undefined || namesModel(when)) return boxes;
  // A rule that names no model is only asked about `auto`.
  return intersect(boxes, [textBox("model", { all: [["auto"]], none: [] })]);
}

/** What is in `boxes` and not in `space`, without the empty ones. Undefined = too intricate to tell. */
export function subtract(
  boxes: readonly Box[],
  space: readonly Box[],
  teams: readonly string[] | undefined,
): readonly Box[] | undefined {
  let left: readonly Box[] | undefined = boxes;
  for (const box of space) {
    left = intersect(left, negate(box))?.filter((rest) => !isEmpty(rest, teams));
    if (left === undefined) return undefined;
  }
  return left;
}

/** Can no request be in it? True is certain. */
export function isEmpty(box: Box, teams: readonly string[] | undefined): boolean {
  if (box.tokens[0] > box.tokens[1] || box.complexity === 0) return true;
  if (flagNames.some((flag) => box.flags[flag] === 0)) return true;
  return Object.entries(box.texts).some(([axis, texts]) =>
    isEmptyText(texts, axis.startsWith("header "), axis === "team" ? teams : undefined),
  );
}

function boxesOf(condition: Condition): readonly Box[] | undefined {
  const { team, model, header = {}, tokens, complexity, any, not } = condition;
  const facts: Box[] = [];
  if (team !== undefined) facts.push(textBox("team", { all: [team], none: [] }));
  if (model !== undefined) facts.push(textBox("model", { all: [model], none: [] }));
  for (const [name, values] of Object.entries(header)) {
    facts.push(textBox(`header ${name}`, { all: [values], none: [] }));
  }
  if (tokens !== undefined) facts.push({ ...everything, tokens: rangeOf(tokens) });
  if (complexity !== undefined) facts.push({ ...everything, complexity: bitsOf(complexity) });
  for (const flag of flagNames) {
    const wanted = condition[flag];
    if (wanted !== undefined) facts.push({ ...everything, flags: { ...everything.flags, [flag]: wanted ? 2 : 1 } });
  }
  let boxes: readonly Box[] | undefined = [facts.reduce(meet, everything)];
  if (any !== undefined) {
    const parts = any.map(boxesOf);
    if (parts.includes(undefined)) return undefined;
    boxes = intersect(
      boxes,
      parts.flatMap((part) => part ?? []),
    );
  }
  if (not === undefined || boxes === undefined) return boxes;
  const excluded = boxesOf(not);
  return excluded && subtract(boxes, excluded, undefined);
}

function textBox(axis: string, texts: Texts): Box {
  return { ...everything, texts: { [axis]: texts } };
}

function intersect(some: readonly Box[], others: readonly Box[]): readonly Box[] | undefined {
  if (some.length * others.length > MAX_BOXES) return undefined;
  return some.flatMap((box) => others.map((other) => meet(box, other)));
}

function meet(a: Box, b: Box): Box {
  const texts: Record<string, Texts> = { ...a.texts };
  for (const [axis, more] of Object.entries(b.texts)) {
    const own = texts[axis];
    texts[axis] = own ? { all: [...own.all, ...more.all], none: [...own.none, ...more.none] } : more;
  }
  return {
    texts,
    tokens: [Math.max(a.tokens[0], b.tokens[0]), Math.min(a.tokens[1], b.tokens[1])],
    complexity: a.complexity & b.complexity,
    flags: {
      has_tools: a.flags.has_tools & b.flags.has_tools,
      has_images: a.flags.has_images & b.flags.has_images,
      json_schema: a.flags.json_schema & b.flags.json_schema,
    },
  };
}

/** Everything outside a box: one box for each side of it. */
function negate(box: Box): readonly Box[] {
  const [least, most] = box.tokens;
  const outside: Box[] = [];
  if (least > 0) outside.push({ ...everything, tokens: [0, least - 1] });
  if (most < Number.POSITIVE_INFINITY) outside.push({ ...everything, tokens: [Math.max(0, most + 1), Infinity] });
  if (box.complexity !== everyComplexity) outside.push({ ...everything, complexity: everyComplexity ^ box.complexity });
  for (const flag of flagNames) {
    const bits = 3 ^ box.flags[flag];
    if (bits !== 0) outside.push({ ...everything, flags: { ...everything.flags, [flag]: bits } });
  }
  for (const [axis, { all, none }] of Object.entries(box.texts)) {
    for (const list of all) outside.push(textBox(axis, { all: [], none: list }));
    for (const pattern of none) outside.push(textBox(axis, { all: [[pattern]], none: [] }));
  }
  return outside;
}

/** Tokens are whole numbers. */
function rangeOf({ op, value }: Comparison<number>): readonly [number, number] {
  if (op === "<") return [0, Math.ceil(value) - 1];
  if (op === "<=") return [0, Math.floor(value)];
  if (op === "==") return [Math.ceil(value), Math.floor(value)];
  return [op === ">=" ? Math.ceil(value) : Math.floor(value) + 1, Number.POSITIVE_INFINITY];
}

function bitsOf({ op, value }: NonNullable<Condition["complexity"]>): number {
  const place = complexities.indexOf(value);
  return complexities.reduce((bits, _, rank) => (compare(rank, { op, value: place }) ? bits | (1 << rank) : bits), 0);
}
