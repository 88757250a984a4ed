import { wordGroups } from "./complexity-words.ts";
import type { Complexity } from "./policy.ts";
import { shapeOf, type TextShape } from "./text-shape.ts";

/** Scores from which a request is moderate, and complex. Used where the policy names none. */
export const defaultThresholds: Thresholds = { moderate: 0.35, complex: 0.65 };

export interface Thresholds {
  readonly moderate: number;
  readonly complex: number;
}

/** A conversation as the classifier reads it. */
export interface Conversation {
  /** What the user said, oldest first. */
  readonly userTurns: readonly string[];
  /** Characters of system and developer prompts. */
  readonly systemLength: number;
  readonly offersTools: boolean;
  readonly hasImages: boolean;
  readonly jsonSchema: boolean;
  /** Tools are offered and were called. */
  readonly toolLoop: boolean;
  /** The system prompt or the tools are a coding agent's. */
  readonly codingAgent: boolean;
}

export interface Assessment {
  /** 0 = anyone can answer, 1 = only the best can. */
  readonly score: number;
  readonly complexity: Complexity;
  /** What made the score, most important first. Never text of the prompt. */
  readonly reasons: readonly string[];
}

interface Signal {
  readonly name: string;
  readonly weight: number;
}

/** What is left of a turn's score one user turn later: up at once, down slowly. */
const DECAY = 0.93;
/** Older turns than these have decayed below every threshold that matters. */
const TURNS_READ = 16;

/**
 * How hard a conversation is, from its structure alone: under 0.25 ms for ordinary prompts. Every user turn is scored, and
 * the hardest one holds, fading by 7 % a turn: «commit it» after a hard task is not easy. A tool loop in progress and a
 * coding agent are never less than complex.
 */
export function classify(conversation: Conversation, thresholds: Thresholds = defaultThresholds): Assessment {
  const turns = conversation.userTurns.slice(-TURNS_READ);
  let hardest = 0;
  let age = 0;
  let signals: Signal[] = [];
  turns.forEach((turn, index) => {
    const found = signalsOf(shapeOf(turn));
    const turnsAgo = turns.length - 1 - index;
    const score = saturate(found) * DECAY ** turnsAgo;
    if (score < hardest || (score === 0 && index > 0)) return;
    hardest = score;
    age = turnsAgo;
    signals = found;
  });
  const context = contextSignals(conversation);
  const open = 1 - (1 - hardest) * (1 - saturate(context));
  const floor = conversation.toolLoop || conversation.codingAgent ? thresholds.complex : 0;
  const score = Math.max(open, floor);
  return {
    score,
    complexity: score >= thresholds.complex ? "complex" : score >= thresholds.moderate ? "moderate" : "simple",
    reasons: explain(conversation, [...signals, ...context], age),
  };
}

function explain(conversation: Conversation, signals: Signal[], age: number): string[] {
  const reasons: string[] = [];
  if (conversation.toolLoop) reasons.push("tool loop in progress: never downgraded");
  if (conversation.codingAgent) reasons.push("coding agent: never downgraded");
  if (age > 0) reasons.push(`hardest turn was ${age} ${age === 1 ? "turn" : "turns"} ago`);
  const telling = signals.filter(({ weight }) => weight >= 0.05).sort((a, b) => b.weight - a.weight);
  for (const { name, weight } of telling) reasons.push(`${name} +${twoDecimals(weight)}`);
  return reasons;
}

/** Evidence adds up, but never beyond 1. */
function saturate(signals: readonly Signal[]): number {
  const sum = signals.reduce((total, { weight }) => total + weight, 0);
  return 1 - Math.exp(-Math.max(0, sum));
}

/** 0.37: `toFixed(2)` for numbers from 0 to 10, at a fraction of its cost. */
export function twoDecimals(value: number): string {
  const hundredths = Math.round(value * 100);
  const rest = hundredths % 100;
  return `${(hundredths - rest) / 100}.${rest < 10 ? "0" : ""}${rest}`;
}

function signalsOf(shape: TextShape): Signal[] {
  const { words, lines } = shape;
  const codeLines = shape.codeLines >= 2 || shape.fences > 0 ? Math.max(shape.codeLines, shape.fences) : 0;
  const isCode = codeLines > 0;
  const signals: Signal[] = [];
  add(signals, "length", Math.min(0.9, 0.2 * Math.max(0, Math.log2(Math.max(1, words) / 12))));
  add(signals, "code", isCode ? Math.min(0.9, 0.25 + 0.1 * Math.log2(1 + codeLines)) : 0);
  add(signals, "formulae", isCode ? 0 : Math.min(0.5, 0.12 * shape.mathMarks));
  add(signals, "numbers", isCode || shape.numbers < 2 ? 0 : Math.min(0.35, 0.08 * shape.numbers));
  add(signals, "amount asked", shape.numbers > 0 && shape.amountsAsked > 0 ? 0.2 : 0);
  add(signals, "questions", Math.min(0.3, 0.12 * Math.max(0, shape.questions - 1)));
  add(signals, "parts", isCode ? 0 : Math.min(0.36, 0.09 * Math.max(0, shape.items - 1)));
  add(signals, "long words", lines > 0 ? Math.min(0.2, 0.5 * (shape.longWords / Math.max(8, words))) : 0);
  for (let index = 0; index < wordGroups.length; index++) {
    const { name, each, most } = wordGroups[index]!;
    add(signals, name, Math.min(most, each * shape.groups[index]!));
  }
  return signals;
}

/** What weighs nothing is no signal. */
function add(signals: Signal[], name: string, weight: number): void {
  if (weight !== 0) signals.push({ name, weight });
}

function contextSignals(conversation: Conversation): Signal[] {
  const system = Math.max(0, Math.log2(Math.max(1, conversation.systemLength) / 1000));
  const signals: Signal[] = [];
  add(signals, "system prompt", Math.min(0.2, 0.04 * system));
  add(signals, "turns", Math.min(0.2, 0.02 * Math.max(0, conversation.userTurns.length - 1)));
  add(signals, "tools offered", conversation.offersTools ? 0.1 : 0);
  add(signals, "images", conversation.hasImages ? 0.1 : 0);
  add(signals, "answer by schema", conversation.jsonSchema ? 0.15 : 0);
  return signals;
}
