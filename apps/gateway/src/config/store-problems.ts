import { memberOf } from "./loose.ts";
import type { Problem } from "./problems.ts";
import { parseRedisUrl, redisUrlProblem } from "./redis-url.ts";
import { didYouMean } from "./suggest.ts";
import { tlsProblems } from "./tls-problems.ts";

/** What is wrong with `store` beyond the form of its values. `raw`: before variables were put in. */
export function storeProblems(value: unknown, raw: unknown): Problem[] {
  const store = memberOf(value, "store");
  const written = memberOf(raw, "store");
  if (typeof store === "string") return textProblems(store, written);
  if (typeof store !== "object" || store === null) return [];
  return [
    ...placeProblems(store),
    ...urlProblems(store, written),
    ...tlsProblems(store, ["store"], memberOf(store, "url"), "redis"),
  ];
}

function textProblems(store: string, written: unknown): Problem[] {
  const path = ["store"];
  if (store === "memory") return [];
  if (/^[a-z_]*$/i.test(store)) {
    const near =
      store.toLowerCase() === "redis" ? "; did you mean «redis://127.0.0.1:6379»?" : didYouMean(store, ["memory"]);
    return [{ path, message: `expected memory or a redis:// address, not «${store}»${near}` }];
  }
  const message = redisUrlProblem(store, written);
  return message === undefined ? [] : [{ path, message }];
}

function placeProblems(store: object): Problem[] {
  const given = ["url", "sentinels", "cluster"].filter((key) => memberOf(store, key) !== undefined);
  const problems: Problem[] = [];
  if (given.length !== 1) {
    const message =
      given.length === 0
        ? "has none of `url`, `sentinels` and `cluster`: give one of them"
        : `has ${given.map((key) => `\`${key}\``).join(" and ")}: give one of them`;
    problems.push({ path: ["store"], message, atKey: true });
  }
  const sentinels = memberOf(store, "sentinels") !== undefined;
  if (sentinels && memberOf(store, "name") === undefined)
    problems.push({ path: ["store", "sentinels"], message: "goes with `name`, which is missing", atKey: true });
  for (const key of ["name", "sentinel_password_file"]) {
    if (sentinels || memberOf(store, key) === undefined) continue;
    problems.push({ path: ["store", key], message: "is only read with `sentinels`", atKey: true });
  }
  return problems;
}

function urlProblems(store: object, written: unknown): Problem[] {
  const url = memberOf(store, "url");
  if (typeof url !== "string" || url === "") return [];
  const message = redisUrlProblem(url, memberOf(written, "url"));
  if (message !== undefined) return [{ path: ["store", "url"], message }];
  const { username, password } = parseRedisUrl(url)!;
  const problems: Problem[] = [];
  if (username !== undefined && memberOf(store, "username") !== undefined)
    problems.push({ path: ["store", "username"], message: "stands in `url`, too: give one of them", atKey: true });
  if (password !== undefined && memberOf(store, "password_file") !== undefined)
    problems.push({
      path: ["store", "password_file"],
      message: "stands beside a password in `url`: give one of them",
      atKey: true,
    });
  return problems;
}
