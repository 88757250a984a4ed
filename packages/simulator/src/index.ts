export { type Blackhole, startBlackhole } from "./blackhole.ts";
export type { FaultInput } from "./fault-board.ts";
export { type FaultName, faults } from "./faults/registry.ts";
export { type KindName, simulatedKinds } from "./kinds/registry.ts";
export type { SimulatorInput, SimulatorOptions } from "./options.ts";
export { createRandom, hashText } from "./random.ts";
export {
  chunkOf,
  JSON_HEAD,
  LAST_CHUNK,
  type RawExchange,
  type RawUpstream,
  STREAM_HEAD,
  startRawUpstream,
} from "./raw-upstream.ts";
export type { LogEntry, SimulatorStats } from "./request-log.ts";
export { parseScript, type ScriptRule } from "./script.ts";
export { type Simulator, startSimulator } from "./simulator.ts";
