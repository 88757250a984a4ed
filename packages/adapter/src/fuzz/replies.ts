import { dialectNames, dialects } from "../dialects.ts";
import type { ToolSet } from "../tools.ts";
import type { Reply } from "../vectors/play-parser.ts";
import { call, pick, type Random, text, writers } from "./writers.ts";

/** A vector to begin from, with the tools of its file. */
export interface Seed {
  readonly reply: Reply;
  readonly tools: ToolSet;
}

const tokens: readonly string[] = [
  ...new Set(
    Object.values(dialects).flatMap(({ envelopes, thinks }) => [
      ...envelopes.flatMap(({ opens }) => opens),
      ...thinks.flatMap(({ open, close }) => [open, close]),
    ]),
  ),
];
const finishes = ["stop", "stop", "tool_calls", "length", "content_filter"];
const written = Object.keys(writers);

/** A reply that nobody has thought of: a vector that was spoilt, or calls that were written with hostile arguments. */
export function inventReply(random: Random, seeds: readonly Seed[]): Seed {
  const { reply, tools } = pick(random, seeds);
  if (random() < 0.35) {
    const dialect = pick(random, written);
    let input = write(random, dialect);
    while (random() < 0.4) input = spoil(random, input, seeds);
    return { tools, reply: surround(random, { ...reply, dialect, input }) };
  }
  let { input } = reply;
  do input = spoil(random, input, seeds);
  while (random() < 0.6);
  return { tools, reply: surround(random, { ...reply, input }) };
}

/** What came with the reply may be anything, too. */
function surround(random: Random, reply: Reply): Reply {
  const { dialect, reasoning_first, upstream_finish, no_tools = false } = reply;
  return {
    input: reply.input,
    dialect: random() < 0.3 ? "auto" : random() < 0.15 ? pick(random, dialectNames) : dialect,
    reasoning_first: random() < 0.1 ? !reasoning_first : reasoning_first,
    upstream_finish: random() < 0.3 ? pick(random, finishes) : upstream_finish,
    no_tools: random() < 0.05 ? !no_tools : no_tools,
  };
}

function write(random: Random, dialect: string): string {
  const thought = random() < 0.25 ? `<think>${text(random, 5)}</think>` : "";
  const before = random() < 0.5 ? text(random, 6) : "";
  const calls = Array.from({ length: 1 + Math.floor(random() * 2) }, () => call(random));
  const after = random() < 0.4 ? text(random, 4) : "";
  return thought + before + pick(random, writers[dialect]!)(calls) + after;
}

/** Changes a text in one place or two. */
function spoil(random: Random, input: string, seeds: readonly Seed[]): string {
  const at = Math.floor(random() * (input.length + 1));
  const length = Math.floor(random() ** 3 * 40) + 1;
  const part = input.slice(at, at + length);
  const front = input.slice(0, at);
  const back = input.slice(at + length);
  switch (Math.floor(random() * 9)) {
    case 0:
      return front + back;
    case 1:
      return front + part + part + back;
    case 2: {
      const swap = Math.floor(random() * (back.length + 1));
      return front + back.slice(0, swap) + part + back.slice(swap);
    }
    case 3:
      return front + pick(random, tokens) + part + back;
    case 4:
      return front + text(random, 3) + part + back;
    case 5: {
      const other = pick(random, seeds).reply.input;
      return front + other.slice(Math.floor(random() * other.length));
    }
    case 6:
      return front;
    case 7:
      return part + back;
    default:
      return front + String.fromCharCode(Math.floor(random() * (random() < 0.8 ? 128 : 0x10000))) + part + back;
  }
}

/** Makes a reply as short as it can be, so that `isBad` still says yes; asks at most some thousand times. */
export function minimise(reply: Reply, isBad: (reply: Reply) => boolean): Reply {
  let best = reply;
  let asked = 0;
  for (let size = Math.ceil(best.input.length / 2); size >= 1; ) {
    let shrunk = false;
    for (let at = 0; at < best.input.length && asked < 4000; asked++) {
      const shorter = { ...best, input: best.input.slice(0, at) + best.input.slice(at + size) };
      if (isBad(shorter)) {
        best = shorter;
        shrunk = true;
      } else at += size;
    }
    if (!shrunk || size > 1) size = Math.floor(size / 2);
    if (asked >= 4000) break;
  }
  return best;
}
