import { isSpace, MORE, NO, YES } from "./cursor.ts";
import type { Dialect, Envelope, Lookahead, ThinkTags } from "./dialect.ts";
import { bareJson, endTokens, fenced } from "./grammars/bare.ts";
import { jsonCalls } from "./grammars/json-calls.ts";
import { type Body, strays, tagged } from "./grammars/tagged.ts";
import type { XmlShape } from "./grammars/xml-calls.ts";

/** The thinking of most models. */
export const think: ThinkTags = { open: "<think>", close: "</think>" };

/** `<invoke name="N"><parameter name="K">V</parameter></invoke>`, with a prefix in front of the tags' names. */
export function invokeShape(prefix = ""): XmlShape {
  return {
    calls: [`<${prefix}invoke`],
    endCalls: [`</${prefix}invoke>`],
    parameters: [{ open: `<${prefix}parameter`, close: `</${prefix}parameter>` }],
    newlines: "pair",
    forgets: false,
  };
}

/** `<function=N><parameter=K>V</parameter></function>`. */
export const functionShape: XmlShape = {
  calls: ["<function=", "<function "],
  endCalls: ["</function>"],
  parameters: [
    { open: "<parameter=", close: "</parameter>" },
    { open: "<parameter ", close: "</parameter>" },
    { open: "<param ", close: "</param>" },
  ],
  newlines: "each",
  forgets: true,
};

/** `<tool_call>`, with calls in the given forms. */
export function toolCallTag(...bodies: readonly Body[]): Envelope {
  return tagged({ opens: ["<tool_call>"], closes: ["</tool_call>"], bodies });
}

/** `<tool_calls>`, with calls in the given forms. */
export function toolCallsTag(...bodies: readonly Body[]): Envelope {
  return tagged({ opens: ["<tool_calls>"], closes: ["</tool_calls>"], bodies });
}

/** `<function_calls>`, with calls in the given forms. */
export function functionCallsTag(...bodies: readonly Body[]): Envelope {
  return tagged({ opens: ["<function_calls>"], closes: ["</function_calls>"], bodies });
}

/** Tags around JSON of which the closing one may never come. */
export const openJsonTags: readonly Envelope[] = [
  tagged({ opens: ["<|tool_call|>", "<|tool_calls|>"], closes: [], bodies: [jsonCalls], single: true }),
  strays("<|/tool_call|>", "<|/tool_calls|>"),
];

/** Tags of their own around JSON. */
export const functionCallTag: Envelope = tagged({
  opens: ["<function_call>"],
  closes: ["</function_call>"],
  bodies: [jsonCalls],
});
export const toolsTag: Envelope = tagged({ opens: ["<tools>"], closes: ["</tools>"], bodies: [jsonCalls] });

const isFunctools: Lookahead = (text, _at, _tools, ended, behind) => {
  if (behind + 1 >= text.length) return ended || (behind < text.length && text[behind] !== "[") ? NO : MORE;
  const value = text.charCodeAt(behind + 1);
  return text[behind] === "[" && (value === 0x7b || isSpace(value)) ? YES : NO;
};

/** `functools[{...}]`. */
export const functools: Envelope = tagged({
  opens: ["functools"],
  closes: [],
  bodies: [jsonCalls],
  single: true,
  weak: true,
  lookahead: isFunctools,
});

/** A dialect whose calls may also stand in a fence that is the whole content. */
export function defineDialect(dialect: Pick<Dialect, "title" | "models" | "example"> & Partial<Dialect>): Dialect {
  const envelopes = dialect.envelopes ?? [];
  return {
    aliases: [],
    thinks: [think],
    faults: [],
    ...dialect,
    envelopes: envelopes.length === 0 ? [] : [...envelopes, fenced(envelopes)],
  };
}

export { bareJson, endTokens };
