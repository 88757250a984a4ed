import { kinds, ownSampling } from "@signalbox/backends";
import { entriesOf, itemsOf, memberOf } from "./loose.ts";
import type { Problem } from "./problems.ts";

/** Defaults of a model that none of its backends would ever be sent. */
export function defaultProblems(value: unknown): Problem[] {
  const backends = memberOf(value, "backends");
  const kindOf = (entry: unknown): string =>
    String(memberOf(memberOf(backends, String(memberOf(entry, "backend"))), "kind"));
  return entriesOf(memberOf(value, "models")).flatMap(([name, model]): Problem[] => {
    const on = itemsOf(memberOf(model, "on")).map(kindOf);
    return ownSampling.flatMap((key): Problem[] => {
      if (memberOf(memberOf(model, "defaults"), key) === undefined || on.length === 0) return [];
      // A kind that is misspelled is an error of its own.
      if (on.some((kind) => readers(key).includes(kind) || !Object.hasOwn(kinds, kind))) return [];
      const message = `no backend of «${name}» reads it (${[...new Set(on)].join(", ")}), only ${readers(key).join(", ")} do: leave it out`;
      return [{ path: ["models", name, "defaults", key], message, atKey: true }];
    });
  });
}

function readers(key: (typeof ownSampling)[number]): string[] {
  return Object.entries(kinds).flatMap(([name, { sampling }]) => (key in sampling ? [name] : []));
}
