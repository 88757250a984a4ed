import { dialectNames, findDialect } from "@signalbox/adapter";
import { z } from "zod";
import { show } from "./fields.ts";
import { didYouMean } from "./suggest.ts";

/** The name of a dialect; an engine's other name for it becomes ours. */
export const dialect = () =>
  z
    .string()
    .transform((word, context) => {
      const name = findDialect(word);
      if (name !== undefined) return name;
      const near = didYouMean(word, dialectNames);
      const message = `${show(word)} is not a dialect${near} (known: ${dialectNames.join(", ")})`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    })
    .meta({ suggestions: dialectNames });
