export type { FaultInput } from "./fault-board.ts";
export { type FaultName, faults } from "./faults/registry.ts";
export { type KindName, simulatedKinds } from "./kinds/registry.ts";
export type { SimulatorInput, SimulatorOptions } from "./options.ts";
export type { LogEntry, SimulatorStats } from "./request-log.ts";
export { parseScript, type ScriptRule } from "./script.ts";
export { type Simulator, startSimulator } from "./simulator.ts";
