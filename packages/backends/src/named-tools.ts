import { fieldsOf, itemsOf } from "./json-fields.ts";
import type { RequestView } from "./kind.ts";

/**
 * The tools that a `tool_choice` names, as indexes into `tools`; undefined when it names none, or one that is not
 * declared, which is left to the engine to refuse.
 */
export function namedTools({ body }: RequestView): readonly number[] | undefined {
  const { name } = fieldsOf(fieldsOf(body.tool_choice).function);
  if (typeof name !== "string") return undefined;
  const indexes = itemsOf(body.tools).flatMap((tool, index) => {
    return fieldsOf(fieldsOf(tool).function).name === name ? [index] : [];
  });
  return indexes.length > 0 ? indexes : undefined;
}
