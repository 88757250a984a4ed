import type { Fault } from "../fault.ts";
import { refuse, reset, silence } from "./connection.ts";

/** Every fault by its name in `PUT /_sim/fault`. */
export const faults = {
  refuse,
  silence,
  reset,
} satisfies Record<string, Fault>;
export type FaultName = keyof typeof faults;
