// What a careful client reads is the same for these tests and for the faults that are played against the process.
export { type Answer, ask, type Reading, readAnswer } from "../../../../bench/faults/wire-client.ts";
