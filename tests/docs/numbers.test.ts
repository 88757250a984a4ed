import { expect, test } from "vitest";
import { proseOf, textOf } from "./markdown.ts";

/** A number that a page gives, and the constant in the code that it is. */
interface Told {
  readonly page: string;
  /** What the page says, with the number in brackets. */
  readonly says: RegExp;
  readonly file: string;
  readonly constant: string;
  /** What the page's unit is in the constant's; 1 unless given. */
  readonly unit?: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const gateway = "apps/gateway/src";
const numbers: readonly Told[] = [
  {
    page: "docs/configuration.md",
    says: /since a request needs a socket to its backend as well; at most ([\d,]+)\./,
    file: `${gateway}/runtime/process-limits.ts`,
    constant: "MOST_SOCKETS",
  },
  {
    page: "docs/configuration.md",
    says: /A sixteenth of the memory, at most (\d+) MiB/,
    file: `${gateway}/runtime/process-limits.ts`,
    constant: "MOST_BODIES",
    unit: MiB,
  },
  {
    page: "docs/security.md",
    says: /all keys in memory, at most ([\d,]+),/,
    file: `${gateway}/teams/stored-keys.ts`,
    constant: "MAX_STORED_KEYS",
  },
  {
    page: "docs/security.md",
    says: /after (\d+) wrong ones from an address/,
    file: `${gateway}/runtime/gateway.ts`,
    constant: "ADMIN_TRIES",
  },
  {
    page: "docs/security.md",
    says: /after (\d+) the next are answered with 429/,
    file: `${gateway}/teams/failure-throttle.ts`,
    constant: "burst",
  },
  {
    page: "docs/reliability.md",
    says: /whatever it does instead of deciding about a request within (\d+) ms/,
    file: `${gateway}/store/store-times.ts`,
    constant: "RESERVE_MS",
  },
  {
    page: "docs/usage.md",
    says: /bounded by (\d+) MiB; beyond that they are dropped/,
    file: `${gateway}/signals/line-writer.ts`,
    constant: "maxWaiting",
    unit: MiB,
  },
  {
    page: "docs/privacy.md",
    says: /Each of the two has (\d+) Ki characters at most/,
    file: `${gateway}/privacy/transcript.ts`,
    constant: "MAX_CHARACTERS",
    unit: KiB,
  },
  {
    page: "docs/privacy.md",
    says: /matched in more than (\d+) steps/,
    file: `${gateway}/privacy/pattern-cost.ts`,
    constant: "MAX_STEPS",
  },
  {
    page: "docs/privacy.md",
    says: /When more than (\d+) or 16 MiB wait/,
    file: `${gateway}/signals/late-work.ts`,
    constant: "MAX_WAITING",
  },
  {
    page: "docs/privacy.md",
    says: /When more than 64 or (\d+) MiB wait/,
    file: `${gateway}/signals/late-work.ts`,
    constant: "MAX_BYTES",
    unit: MiB,
  },
  {
    page: "docs/reasoning.md",
    says: /(\d+) KiB for a thought/,
    file: `${gateway}/request-path/reasoning-memory.ts`,
    constant: "MAX_ENTRY_BYTES",
    unit: KiB,
  },
  {
    page: "docs/reasoning.md",
    says: /(\d+) MiB for all of a process/,
    file: `${gateway}/request-path/reasoning-memory.ts`,
    constant: "MAX_BYTES",
    unit: MiB,
  },
  {
    page: "docs/capture.md",
    says: /At most (\d+) replies wait to be written/,
    file: `${gateway}/signals/capture.ts`,
    constant: "MAX_WAITING",
  },
  {
    page: "docs/request-path.md",
    says: /more than (\d+) MiB of text/,
    file: `${gateway}/request-path/recovery/sent-reply.ts`,
    constant: "MAX_SENT_BYTES",
    unit: MiB,
  },
  {
    page: "docs/teams.md",
    says: /its `max_tokens`, or (\d+) where it has none/,
    file: `${gateway}/request-path/serve.ts`,
    constant: "UNTOLD_REPLY_TOKENS",
  },
  {
    page: "docs/observability.md",
    says: /the client's `tracestate`, up to (\d+) characters/,
    file: `${gateway}/tracing/trace-context.ts`,
    constant: "MAX_STATE",
  },
];

/** What a constant is set to: a product of numbers. */
function constantOf(file: string, constant: string): number {
  const [, written] = new RegExp(`\\b${constant} = ([\\d_ *]+)[;, ]`).exec(textOf(file)) ?? [];
  if (written === undefined) throw new Error(`${file} has no constant ${constant}`);
  return written
    .split("*")
    .map((factor) => Number(factor.trim().replaceAll("_", "")))
    .reduce((product, factor) => product * factor, 1);
}

test.each(numbers)("$page tells $constant as it is", ({ page, says, file, constant, unit = 1 }) => {
  const [, told] = says.exec(proseOf(page).replace(/\s+/g, " ")) ?? [];
  expect(told, `${page} says no ${says}`).toBeDefined();
  expect(Number(told?.replaceAll(",", "")) * unit).toBe(constantOf(file, constant));
});
