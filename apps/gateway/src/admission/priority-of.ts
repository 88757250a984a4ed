import { type Priority, priorities } from "@signalbox/router";
import type { Team } from "../config/config.ts";

/** The priority of a team's request: the team's, or a lower one that `x-signalbox-priority` asks for. */
export function priorityOf({ priority }: Pick<Team, "priority">, header: string | undefined): Priority {
  const asked = priorities.indexOf(header as Priority);
  return asked > priorities.indexOf(priority) ? priorities[asked]! : priority;
}
