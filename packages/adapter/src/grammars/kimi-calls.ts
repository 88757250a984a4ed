import { type Answer, MORE, NO, YES } from "../cursor.ts";
import type { Envelope, Lookahead } from "../dialect.ts";
import { headedJson } from "./headed-json.ts";
import { type Body, tagged } from "./tagged.ts";

const ARGUMENTS = "<|tool_call_argument_begin|>";
const MAX_NAME = 256;

/** `functions.N:0`, or `N:0`. */
const idPattern = /^(?:functions\.)?(.+):\d+$/s;

/** An id that holds the name, and JSON. */
export const kimiCall: Body = headedJson({
  starts: ["<|tool_call_begin|>"],
  heads: [ARGUMENTS],
  ends: ["<|tool_call_end|>"],
  read(id) {
    const name = idPattern.exec(id)?.[1];
    return name === undefined ? undefined : { name, id };
  },
});

/** What ends a section of calls. */
export const kimiEnds = ["<|tool_calls_section_end|>", "<|tool_call_section_end|>"];

/** The id of a declared tool's call, up to the token behind it. */
const isEatenCall: Lookahead = (text, at, tools, ended): Answer => {
  const found = /^(?:functions\.)?([^\s:<]{1,256}):\d{1,9}\s?/.exec(text.slice(at, at + MAX_NAME * 2));
  if (found === null) {
    if (ended || text.length - at > MAX_NAME * 2) return NO;
    const begun = text.slice(at).replace(/^functions\./, "");
    if ("functions.".startsWith(text.slice(at))) return MORE;
    for (const name of tools.keys()) if (`${name}:`.startsWith(begun)) return MORE;
    return NO;
  }
  if (!tools.has(found[1]!)) return NO;
  const rest = text.slice(at + found[0].length);
  if (rest.startsWith(ARGUMENTS)) return YES;
  return !ended && ARGUMENTS.startsWith(rest) ? MORE : NO;
};

/** The begin tokens were eaten: the content starts with the id. */
export const eatenKimi: Envelope = tagged({
  about: "`functions.N:0`, its begin token eaten",
  opens: [],
  closes: kimiEnds,
  bodies: [{ ...kimiCall, starts: [] }],
  where: "start",
  weak: true,
  lookahead: isEatenCall,
});
