import { onCall } from "./on-call.ts";
import { pool } from "./pool.ts";
import { routing } from "./routing.ts";
import { teams } from "./teams.ts";
import { toolCalls } from "./tool-calls.ts";
import { traffic } from "./traffic.ts";

/** Every dashboard, by the name of its file under dashboards/. */
export const dashboards = {
  "on-call": onCall,
  pool,
  routing,
  teams,
  "tool-calls": toolCalls,
  traffic,
} as const;

/** A dashboard as its file has it. */
export function textOf(dashboard: (typeof dashboards)[keyof typeof dashboards]): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
