import { MORE, YES } from "../cursor.ts";
import { invokeShape } from "../envelopes.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import { take } from "./steps.ts";
import type { Body } from "./tagged.ts";
import { xmlCalls } from "./xml-calls.ts";

const call = xmlCalls({ ...invokeShape("steptml:"), newlines: "none" });
const invoke = LiteralSet.of("<steptml:invoke");
const MAX_HEAD = 512;

/** `function<sep>`, sometimes with the name on a line of its own, and a call in XML. */
export const step3Call: Body = {
  starts: ["<｜tool_call_begin｜>", "<｜tool_sep｜>", "<steptml:invoke"],
  *read(read, block, around) {
    read.mark();
    let found = read.seek(invoke, MAX_HEAD);
    for (; found === PARTIAL; found = read.seek(invoke, MAX_HEAD)) yield;
    if (found === undefined) return false;
    if (!(yield* call.read(read, block, around))) return false;
    while (read.space() === MORE) yield;
    return (yield* take(read, "<｜tool_call_end｜>")) === YES || true;
  },
};
