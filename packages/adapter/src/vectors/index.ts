export { dialects } from "../dialects.ts";
export { checkVector, mismatch, type Outcome, type Play } from "./check-vector.ts";
export { type Playing, playFile, readVectorFile } from "./play-file.ts";
export { dialectOf, playParser } from "./play-parser.ts";
export { type Split, someSplits, splits } from "./splits.ts";
export type { Expectation, Vector, VectorFile } from "./vector.ts";
