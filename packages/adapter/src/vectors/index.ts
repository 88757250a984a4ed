export { checkVector, type Outcome, type Play } from "./check-vector.ts";
export { type Playing, playFile, readVectorFile } from "./play-file.ts";
export { dialectOf, playParser } from "./play-parser.ts";
export { type Split, someSplits, splits } from "./splits.ts";
export type { Vector, VectorFile } from "./vector.ts";
