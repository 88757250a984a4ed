import { createRandom, hashText } from "./random.ts";

const DIMENSIONS = 64;

/** A unit vector for a text: the same text gives the same vector. */
function embedText(text: string, seed: number, dimensions = DIMENSIONS): number[] {
  const random = createRandom(hashText(text, seed));
  const raw = Array.from({ length: dimensions }, () => random() * 2 - 1);
  const length = Math.hypot(...raw) || 1;
  return raw.map((value) => value / length);
}

/** The vectors of an embeddings request; as base64 of 32-bit floats when that is asked for. */
export function embedInput(
  body: Readonly<Record<string, unknown>>,
  seed: number,
): readonly number[][] | readonly string[] {
  const input = body.input;
  const texts = Array.isArray(input)
    ? typeof input[0] === "number"
      ? [input.join(" ")]
      : input.map((entry: unknown) => (Array.isArray(entry) ? entry.join(" ") : String(entry)))
    : [String(input ?? "")];
  const asked = typeof body.dimensions === "number" ? Math.floor(body.dimensions) : DIMENSIONS;
  const dimensions = Math.min(4096, Math.max(1, asked));
  const vectors = texts.map((text) => embedText(text, seed, dimensions));
  if (body.encoding_format !== "base64") return vectors;
  return vectors.map((vector) => Buffer.from(new Float32Array(vector).buffer).toString("base64"));
}
