import type { Dialect, Envelope } from "../dialect.ts";
import {
  bareJson,
  defineDialect,
  endTokens,
  functionCallsTag,
  functionShape,
  invokeShape,
  toolCallsTag,
  toolCallTag,
} from "../envelopes.ts";
import { arrowCalls } from "../grammars/arrow-calls.ts";
import { fences } from "../grammars/bare.ts";
import { nameArguments } from "../grammars/headed-json.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { hunyuanCalls, keyValueCalls } from "../grammars/key-values.ts";
import { pythonLines } from "../grammars/pythonic.ts";
import { forEveryone } from "../grammars/recipients.ts";
import { tagged } from "../grammars/tagged.ts";
import { xmlCalls } from "../grammars/xml-calls.ts";

/** Tags that several dialects use, each in its own way: what stands behind them tells which. */
const shared: readonly Envelope[] = [
  toolCallTag(jsonCalls, xmlCalls(functionShape), nameArguments, keyValueCalls({ declaredOnly: true })),
  toolCallsTag(jsonCalls, hunyuanCalls("")),
  functionCallsTag(xmlCalls(invokeShape()), pythonLines),
  tagged({ opens: ["[TOOL_CALL]"], closes: ["[/TOOL_CALL]"], bodies: [arrowCalls] }),
  bareJson,
];

/** Tokens at the end that cannot be meant as text. `</s>` and the like are text unless a call is in front of them. */
const unmistakable = /^(?:<[|｜].*[|｜]>|\[e~\[|\]~b\]ai|\]~!b\[)$/;

/** All dialects at once: every strong envelope, and the weak ones by declared names. */
export function autoOf(dialects: readonly Dialect[]): Dialect {
  const taken = new Set([...shared.flatMap(({ opens }) => opens), ...fences]);
  const others = [...new Set(dialects.flatMap(({ envelopes }) => envelopes))]
    .filter((envelope) => !shared.includes(envelope) && envelope !== forEveryone)
    .filter(({ opens }) => opens.length === 0 || opens.some((open) => !taken.has(open)))
    .map((envelope) => ({ ...envelope, opens: envelope.opens.filter((open) => !taken.has(open)) }))
    // Tags around an answer are text unless they are tokens.
    .filter(
      ({ opens, always, where, lookahead }) =>
        !always || where !== "edge" || lookahead !== undefined || opens.every((open) => unmistakable.test(open)),
    );
  const ends = others.filter(({ always, where }) => always && where === "anywhere");
  const tokens = [...new Set(ends.flatMap(({ opens }) => opens))].filter((token) => !channels.has(token));
  const envelopes = [
    ...shared,
    ...others.filter((one) => !ends.includes(one) || one.opens.some((open) => channels.has(open))),
    endTokens(tokens.filter((token) => unmistakable.test(token))),
    endTokens(
      tokens.filter((token) => !unmistakable.test(token)),
      "after",
    ),
  ];
  return defineDialect({
    title: "All of them",
    models: ["any"],
    // Whoever declares no tools gets the bytes as they came, thoughts apart: tokens are not guessed at.
    envelopes: envelopes.map((envelope) => ({ ...envelope, always: false })),
    thinks: dialects
      .flatMap(({ thinks }) => thinks)
      .filter((tags, index, list) => list.findIndex(({ open }) => open === tags.open) === index),
    example: "",
  });
}

const channels = new Set(["<|start|>", "<|channel|>"]);
