import { isVariable } from "./expand.ts";
import { parseAddress } from "./units.ts";

/** What a `redis://` or `rediss://` address says. */
export interface RedisUrl {
  readonly encrypted: boolean;
  readonly host: string;
  readonly port: number;
  /** Number of the database. */
  readonly database: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

const form = /^(rediss?):\/\/(?:([^:@/]*)(?::(.*))?@)?([^@/]+)(?:\/(\d*))?$/i;

/** `redis://[user[:password]@]host[:port][/database]`; undefined = anything else. A password may hold any character. */
export function parseRedisUrl(text: string): RedisUrl | undefined {
  const match = form.exec(text);
  if (!match) return undefined;
  const [, scheme, username, password, where, database] = match;
  const address = parseAddress(/:\d+$/.test(where!) ? where! : `${where}:6379`);
  if (address === undefined || address.port === 0) return undefined;
  return {
    encrypted: scheme!.toLowerCase() === "rediss",
    ...address,
    database: Number(database ?? 0),
    username: username ? decoded(username) : undefined,
    password: password ? decoded(password) : undefined,
  };
}

/** What is wrong with an address; undefined = nothing. `written`: the same before variables were put in. Never shows a password. */
export function redisUrlProblem(text: string, written: unknown): string | undefined {
  if (!/^rediss?:\/\//i.test(text)) {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
    if (scheme) return `expected a redis:// or rediss:// address, not ${scheme[1]}://`;
    const near = parseRedisUrl(`redis://${text}`) && !text.includes("@") ? `; did you mean «redis://${text}»?` : "";
    return `expected a redis:// or rediss:// address${near}`;
  }
  const secret = /^rediss?:\/\/[^:@/]*:(.+)@/i.exec(typeof written === "string" ? written : "")?.[1];
  if (secret !== undefined && !isVariable(secret))
    return `a secret stands in the file: write the password as \${NAME} and set NAME in the environment, or use \`password_file\``;
  if (/\?|#/.test(text.slice(text.lastIndexOf("@") + 1)))
    return "holds a query or a fragment (? or #): give host, port and the number of the database alone";
  return parseRedisUrl(text) === undefined
    ? "is not an address such as redis://cache:6379 or rediss://user@cache:6379/0"
    : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
