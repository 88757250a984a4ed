import { expect, test } from "vitest";
import { scripts } from "./scripts.ts";

const words = new Set(["and", "or", "not", "if", "elseif", "while", "in", "return", "function"]);
const ofLua = new Set(["ipairs", "pairs", "tonumber", "tostring", "unpack", "error"]);

// Redis looks for a function only when a script comes to the line that calls it.
test.each(Object.values(scripts).map(({ name, source }) => [name, source] as const))(
  "every function that %s.lua calls is there, and before it is called",
  (_, source) => {
    const code = source.replaceAll(/--.*$/gm, "").replaceAll(/'[^'\n]*'/g, "''");
    const known = new Map<string, number>();
    for (const { 1: name, 2: parameters, index } of code.matchAll(/function (\w*)\s*\(([^)]*)\)/g)) {
      for (const given of [name!, ...parameters!.split(/,\s*/)]) if (!known.has(given)) known.set(given, index);
    }
    const missing = [...code.matchAll(/(?<![.\w])([A-Za-z_]\w*)\s*\(/g)].filter(
      ({ 1: name, index }) => !words.has(name!) && !ofLua.has(name!) && !(known.get(name!)! < index),
    );
    expect(missing.map(([, name]) => name)).toEqual([]);
  },
);
