export { type Answer, ask, type Reading, readAnswer } from "../../../../bench/faults/wire-client.ts";
