import { z } from "zod";
import { oneOf, section, text } from "./fields.ts";
import { GuardSection } from "./guard-schema.ts";
import { TeamKeyEntry } from "./key-schema.ts";
import { TeamLimits } from "./limit-schema.ts";
import { share } from "./queue-schema.ts";
import { BudgetSection } from "./usage-schema.ts";

/** One of `teams`. */
export const TeamEntry = section({
  keys: z
    .array(TeamKeyEntry)
    .min(1, "expected at least one key hash (signalbox keys create makes one)")
    .describe(
      'The hashes of the team\'s keys: `sha256:` and 64 hex digits, or `{ hash: "sha256:...", name: ci, expires: 2027-01-31 }` with either or both. The name is what [the log, usage and limits](security.md#keys) know the key by, the first 8 digits of the hash unless given. A date is its beginning in UTC; a time has its zone (`2027-01-31T18:00:00Z`).',
    ),
  models: z
    .array(text())
    .optional()
    .describe(
      "The models that the team may ask for, `auto` among them; all unless given. It limits what is asked for, not what `auto` and fallbacks reach.",
    ),
  limits: TeamLimits.prefault({}).describe("What the team may use; without limit unless given."),
  log: oneOf(["none", "metadata", "full"])
    .default("metadata")
    .describe(
      "What is [written down of its requests](privacy.md#what-is-written-down): nothing at all; a line without their words; or a line with prompt and answer, redacted.",
    ),
  data: oneOf(["local_only"])
    .optional()
    .describe(
      "Its requests [never reach a backend that is `hosted`](privacy.md#where-data-goes). Unless given they may go to any.",
    ),
  budget: BudgetSection.prefault({}).describe(
    "What it may use in a day, a week or a month; without limit unless given.",
  ),
  ...share,
  guard: GuardSection.optional().describe(
    "What tool calls in the team's answers are held to, beside the model's guard.",
  ),
});
