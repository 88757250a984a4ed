import { z } from "zod";
import { plainName, section, show } from "./fields.ts";
import { momentForm, parseMoment } from "./moment.ts";

/** `sha256:` and 64 hex digits; what else is wrong with one is found apart, since it may be a secret. */
export const keyHash = () =>
  z
    .string()
    .min(1, "expected some text, not an empty string")
    .meta({ pattern: String.raw`^(sha256:[0-9a-fA-F]{64}|\$\{.+\})$` });

/** Milliseconds since 1970. */
const moment = () =>
  z
    .string()
    .transform((text, context): number => {
      const parsed = parseMoment(text);
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: "custom", message: `expected ${momentForm}, not ${show(text)}` });
      return z.NEVER;
    })
    .meta({ pattern: String.raw`^(\d{4}-\d{2}-\d{2}(T.+)?|.*\$\{.*\}.*)$` });

/** One of a team's keys. */
export const TeamKeyEntry = z.union(
  [
    keyHash(),
    section({
      hash: keyHash().describe("SHA-256 of the key."),
      name: plainName("key").optional().describe("Shown in the log, in usage and in `signalbox keys list`."),
      expires: moment().optional().describe("From then on the key is not valid."),
    }),
  ],
  { error: "expected `sha256:` and 64 hex digits, or { hash, name, expires }" },
);
export type TeamKeyEntry = z.infer<typeof TeamKeyEntry>;
