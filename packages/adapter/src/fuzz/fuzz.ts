import type { ToolSet } from "../tools.ts";
import type { Reply } from "../vectors/play-parser.ts";
import { seeded } from "../vectors/splits.ts";
import { breach, type Law, slowness, type Violation } from "./laws.ts";
import { inventReply, minimise, type Seed } from "./replies.ts";

/** One reply that breaks a law, as short as it could be made. */
interface Finding {
  readonly law: Law;
  readonly detail: string;
  readonly reply: Reply;
}

export interface FuzzResult {
  readonly inputs: number;
  readonly codeUnits: number;
  readonly seconds: number;
  readonly violations: Readonly<Record<Law, number>>;
  /** The first of each law. */
  readonly findings: readonly Finding[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly seeds: readonly Seed[];
  /** Goes on until one of the two is reached. */
  readonly seconds: number;
  readonly inputs: number;
  /** How many findings of each law are kept. */
  readonly keep: number;
}

/** So many inputs are there for each one that is made long. */
const PER_LONG = 400;

/** Invents replies and holds the parser to its laws. The same seed tries the same replies in the same order. */
export function fuzz({ seed, seeds, seconds, inputs, keep }: FuzzOptions): FuzzResult {
  const random = seeded(seed);
  const violations: Record<Law, number> = { crash: 0, invariance: 0, conservation: 0, arguments: 0, ids: 0, time: 0 };
  const findings: Finding[] = [];
  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 1000;
  let count = 0;
  let codeUnits = 0;
  for (; count < inputs && (count % 64 !== 0 || elapsed() < seconds); count++) {
    const { reply, tools } = inventReply(random, seeds);
    const own = Math.floor(random() * 2 ** 32);
    codeUnits += reply.input.length;
    const violation = breach(reply, tools, own) ?? (count % PER_LONG === 0 ? slowness(reply, tools, own) : undefined);
    if (violation === undefined) continue;
    violations[violation.law]++;
    if (findings.filter(({ law }) => law === violation.law).length < keep)
      findings.push(shorten(violation, reply, tools, own));
  }
  return { inputs: count, codeUnits, seconds: elapsed(), violations, findings };
}

function shorten(violation: Violation, reply: Reply, tools: ToolSet, seed: number): Finding {
  const { law } = violation;
  if (law === "time") return { ...violation, reply };
  // A shorter text is cut elsewhere: several seeds, so that one of them still hits.
  const tries = [seed, 1, 2, 3, 4, 5];
  const found = (shorter: Reply) => {
    for (const one of tries) {
      const again = breach(shorter, tools, one);
      if (again?.law === law) return again;
    }
    return undefined;
  };
  const short = minimise(reply, (shorter) => found(shorter) !== undefined);
  return { law, detail: found(short)?.detail ?? violation.detail, reply: short };
}
