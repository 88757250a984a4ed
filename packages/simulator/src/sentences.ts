import { createRandom, hashText } from "./random.ts";

const OPENINGS = [
  "Here is a short answer.",
  "Let me take it step by step.",
  "There are two sides to this.",
  "The simple version comes first.",
] as const;

const MIDDLES = [
  "The first thing to look at is what really happens, not what was planned.",
  "Small parts that fit together are easier to change than one large part.",
  "A number with its unit says more than three adjectives.",
  "When two of them disagree, the one that was measured wins.",
  "It helps to write down the question before the answer.",
  "Most of the time goes into waiting, so waiting is what to look at.",
  "An example makes the rule clear, and a second one shows its edge.",
  "What is done twice may stay; what is done three times gets a name.",
] as const;

const ENDINGS = [
  "That is all there is to it.",
  "Ask again if you need the details.",
  "From here on it is a matter of taste.",
  "The rest follows from that.",
] as const;

function quote(prompt: string): string {
  const words = prompt.replace(/\s+/g, " ").trim();
  return words.length > 60 ? `${words.slice(0, 57)}...` : words;
}

/** A plausible answer that names the simulated engine and its model; the same for the same seed and prompt. */
export function composeSentences(title: string, model: string, prompt: string, seed: number): string {
  const random = createRandom(hashText(prompt, seed));
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const count = 2 + Math.floor(random() * 3);
  const start = Math.floor(random() * MIDDLES.length);
  const middles = Array.from({ length: count }, (_, index) => MIDDLES[(start + index) % MIDDLES.length]);
  const about = quote(prompt) === "" ? "" : ` You said: "${quote(prompt)}".`;
  return `This is ${model} on a simulated ${title}.${about} ${pick(OPENINGS)} ${middles.join(" ")} ${pick(ENDINGS)}`;
}

/** What a thinking model thinks first. */
export function composeReasoning(prompt: string): string {
  return `The user says: "${quote(prompt)}". A short and plain answer will do.`;
}
