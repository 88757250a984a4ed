import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  type Scalar,
} from "yaml";
import { expandVariables } from "./expand.ts";
import type { Path, Problem } from "./problems.ts";

/** A place in the text; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A YAML text as plain data, with the place of each value. */
export interface YamlSource {
  /** With variables expanded. */
  readonly value: unknown;
  /** As written. */
  readonly raw: unknown;
  /** False when the text is not YAML at all: nothing more can be said about it. */
  readonly readable: boolean;
  readonly problems: readonly (Problem & { readonly at?: Position })[];
  /** What each variable held, by its value: for messages that must not repeat it. */
  readonly expanded: ReadonlyMap<string, string>;
  /** The place of a value, or of its key; the nearest parent's when the path is not in the file. */
  locate(path: Path, atKey?: boolean): Position;
}

// Far above any real file; a file of aliases to aliases reaches it at once.
const maxNodes = 50_000;
const maxDepth = 64;

interface Walk {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly resolve: (node: Node) => Node | undefined;
  readonly position: (node: Node | null | undefined) => Position | undefined;
  readonly places: Map<string, { key: Position | undefined; value: Position | undefined }>;
  readonly problems: Problem[];
  readonly expanded: Map<string, string>;
  nodes: number;
}

/** Reads a YAML 1.2 text with `${VAR}` expanded in its scalars, never in its structure. Reports every problem; throws nothing. */
export function readYaml(text: string, env: Readonly<Record<string, string | undefined>>): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, merge: false });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: (Problem & { at?: Position })[] = [...document.errors, ...document.warnings].map((error) => ({
    path: [],
    message: syntaxMessage(error.code, error.message, text.slice(error.pos[0], error.pos[0] + 80)),
    at: at(error.pos[0]),
  }));
  const readable = document.errors.every((error) => error.code === "DUPLICATE_KEY");
  const anchors = new Map<Node, Node | undefined>();
  const walk: Walk = {
    env,
    resolve: (node) => {
      if (!isAlias(node)) return node;
      // Looking an anchor up goes through the whole document: once for each alias, however often it is reached.
      if (!anchors.has(node)) anchors.set(node, node.resolve(document));
      return anchors.get(node);
    },
    position: (node) => (node?.range ? at(node.range[0]) : undefined),
    places: new Map(),
    problems: [],
    expanded: new Map(),
    nodes: 0,
  };
  const both = readable ? read(document.contents as ParsedNode | null, [], 0, walk) : empty;
  problems.push(...walk.problems);
  return {
    ...both,
    readable,
    problems,
    expanded: walk.expanded,
    locate: (path, atKey) => locate(walk, path, atKey ?? false),
  };
}

interface Both {
  readonly value: unknown;
  readonly raw: unknown;
}
const empty: Both = { value: null, raw: null };

function read(node: Node | null, path: Path, depth: number, walk: Walk): Both {
  walk.nodes++;
  const key = JSON.stringify(path);
  const known = walk.places.get(key);
  walk.places.set(key, { key: known?.key, value: walk.position(node) ?? known?.key });
  if (walk.nodes > maxNodes || depth > maxDepth) {
    const what =
      depth > maxDepth
        ? `nested deeper than ${maxDepth} levels`
        : `more than ${maxNodes} values once aliases are followed`;
    if (!walk.problems.some((problem) => problem.message.startsWith(what))) walk.problems.push({ path, message: what });
    return empty;
  }
  const target = node === null ? undefined : walk.resolve(node);
  if (node !== null && target === undefined) {
    walk.problems.push({ path, message: "an alias (*name) without its anchor (&name)" });
    return empty;
  }
  if (isMap(target)) return readMap(target.items as { key: Node; value: Node | null }[], path, depth, walk);
  if (isSeq(target)) {
    const items = target.items.map((item, index) => read(item as Node, [...path, index], depth + 1, walk));
    return { value: items.map((item) => item.value), raw: items.map((item) => item.raw) };
  }
  return isScalar(target) ? readScalar(target, path, walk) : empty;
}

function readMap(items: readonly { key: Node; value: Node | null }[], path: Path, depth: number, walk: Walk): Both {
  const value: Record<string, unknown> = {};
  const raw: Record<string, unknown> = {};
  for (const item of items) {
    if (walk.nodes > maxNodes) break;
    const name = isScalar(item.key) ? String(item.key.value) : undefined;
    if (name === undefined || name === "" || name === "__proto__") {
      walk.problems.push({ path, message: `a key must be a plain word${name ? `, not «${name}»` : ""}` });
      continue;
    }
    const child = [...path, name];
    walk.places.set(JSON.stringify(child), { key: walk.position(item.key), value: undefined });
    const both = read(item.value, child, depth + 1, walk);
    value[name] = both.value;
    raw[name] = both.raw;
  }
  return { value, raw };
}

function readScalar(node: Scalar, path: Path, walk: Walk): Both {
  const raw = node.value;
  if (typeof raw === "bigint") return { value: Number(raw), raw: Number(raw) };
  if (typeof raw !== "string") return { value: raw, raw };
  const { text, problems } = expandVariables(raw, walk.env);
  if (text !== raw) walk.expanded.set(text, raw);
  for (const message of problems) walk.problems.push({ path, message });
  // An unquoted variable may stand for a switch; everything else stays text, which counts and durations read as it is.
  const isSwitch = text !== raw && node.type === "PLAIN" && (text === "true" || text === "false");
  return { value: isSwitch ? text === "true" : text, raw };
}

function locate(walk: Walk, path: Path, atKey: boolean): Position {
  const whole = walk.places.get(JSON.stringify(path));
  const own = atKey ? (whole?.key ?? whole?.value) : (whole?.value ?? whole?.key);
  if (own) return own;
  for (let length = path.length - 1; length >= 0; length--) {
    const parent = walk.places.get(JSON.stringify(path.slice(0, length)));
    // What is missing in a mapping is best shown at the mapping's own name.
    const place = parent?.key ?? parent?.value;
    if (place) return place;
  }
  return { line: 1, column: 1 };
}

function syntaxMessage(code: string, message: string, excerpt: string): string {
  const word = /^[^\s:]+/.exec(excerpt)?.[0] ?? "";
  if (code === "DUPLICATE_KEY") return `the key «${word}» stands here twice; keep one`;
  if (code === "TAB_AS_INDENT") return "a tab in the indentation; YAML wants spaces";
  if (code === "MULTIPLE_DOCS") return "a second document (---); one file holds one policy";
  if (code === "TAG_RESOLVE_FAILED") return `the tag ${word} is not known; write the value itself`;
  const first = message.split("\n")[0] as string;
  return `not valid YAML: ${first.charAt(0).toLowerCase()}${first.slice(1)}`;
}
