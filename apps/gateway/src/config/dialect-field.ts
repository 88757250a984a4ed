import { dialectNames, findDialect } from "@signalbox/adapter";
import { z } from "zod";
import { show } from "./fields.ts";
import { didYouMean } from "./suggest.ts";

const words = [...new Set(["auto", "none", ...dialectNames])];

/** A dialect by its name or one of its other names, `auto` or `none`. */
export const dialect = () =>
  z
    .string()
    .refine((word) => words.includes(word) || findDialect(word) !== undefined, {
      error: ({ input }) =>
        `${show(input)} is not a dialect${didYouMean(String(input), words)} (known: ${words.join(", ")})`,
    })
    .meta({ suggestions: words });
