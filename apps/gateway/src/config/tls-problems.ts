import { memberOf } from "./loose.ts";
import type { Path, Problem } from "./problems.ts";

/** What is wrong with the `tls` section of what stands at `path`: beside a `plain` address, or half a certificate. */
export function tlsProblems(holder: unknown, path: Path, address: unknown, plain: "http" | "redis"): Problem[] {
  const tls = memberOf(holder, "tls");
  if (tls === undefined) return [];
  const problems: Problem[] = [];
  if (typeof address === "string" && address.toLowerCase().startsWith(`${plain}:`)) {
    const article = plain === "http" ? "an" : "a";
    const message = `is only read with ${article} ${plain}s:// address`;
    problems.push({ path: [...path, "tls"], message, atKey: true });
  }
  for (const [own, other] of [
    ["cert_file", "key_file"],
    ["key_file", "cert_file"],
  ] as const) {
    if (memberOf(tls, own) !== undefined && memberOf(tls, other) === undefined) {
      problems.push({ path: [...path, "tls", own], message: `goes with \`${other}\`, which is missing` });
    }
  }
  return problems;
}
