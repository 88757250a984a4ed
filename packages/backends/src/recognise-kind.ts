import type { Get } from "./kind.ts";
import { type BackendKindName, backendKindNames, kinds } from "./kinds.ts";

/** Which kind answers here: the first of the registry that knows its own. At most 8 requests; undefined = none. */
export async function recogniseKind(get: Get): Promise<BackendKindName | undefined> {
  for (const name of backendKindNames) {
    if (await kinds[name].recognise(get)) return name;
  }
  return undefined;
}
