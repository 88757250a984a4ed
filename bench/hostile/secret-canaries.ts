/** A secret, or words of a client, that must show nowhere but where they belong. */
export interface Canary {
  readonly what: string;
  readonly value: string;
  /** The client's and the engine's own words: they may stand in bodies of answers. */
  readonly ownWords?: true;
}

/** The secrets that a gateway is given or handed through, and the kinds of words that it hears. */
export const canaries = {
  team_key: { what: "a team's key", value: "sb-canary-team-Qm3xT7vLp2Zk9RwY" },
  wrong_bearer: { what: "a wrong key", value: "sb-canary-wrong-Hd8sN4bVx6Jf1GcU" },
  wrong_api_key: { what: "a wrong x-api-key", value: "canary-xapi-Ke5rB9nWq3Ty7MzD" },
  api_key: { what: "a backend's key", value: "canary-apikey-Vt2pL8hSj4Xa6FoE" },
  api_key_file: { what: "a backend's key from a file", value: "canary-keyfile-Ru7dC1mYk9Zb5NiW" },
  header: { what: "a header of a backend", value: "canary-header-Ga4fQ6tJw8Hs3PxB" },
  variable: { what: "a variable that nobody names", value: "canary-variable-Oc9eM2vKr5Dl7TyS" },
  admin_token: { what: "the admin token", value: "canary-admin-Wj6uX3zNp1Ff8BhQ" },
  wrong_admin_token: { what: "a wrong admin token", value: "canary-notadmin-Es5gI7yRc2Ak4VmT" },
  viewer_token: { what: "a named admin token", value: "canary-viewer-Mq4nZ8fUa1Rs6KbT" },
  redis_password: { what: "the store's password", value: "canary-redis-Jd3hY7kLw2Pv9EcX" },
  sentinel_password: { what: "the Sentinels' password", value: "canary-sentinel-Tg5oB1sMi8Nz4FuQ" },
  silent_key: { what: "a key of a team with log: none", value: "sb-canary-silent-Ab2vN6jXe9Dr3WmK" },
  silent_id: { what: "the id of a request of a team with log: none", value: "canary-silentid-Pl7cU4gHo1Yt8SzV" },
  loud_key: { what: "a key of a team with log: full", value: "sb-canary-loud-Fi9wL3qBx6Ck1ReJ" },
  tls_key: { what: "a client certificate's key file", value: "canary-tlskey-Zn8oD4lUb6Wq9JxC" },
  url_password: { what: "a password in a URL", value: "canary-urlpass-Xi3kF9sGe7Pt1HvR" },
  query: { what: "a key in a query", value: "canary-query-Bl2wY6aMd8Ju5QnO" },
  prompt: { what: "a prompt", value: "canary-prompt-Tf1cE5xHz3Vg", ownWords: true },
  system_prompt: { what: "a system prompt", value: "canary-system-Nk7bU9rLo4Sd", ownWords: true },
  tool_arguments: { what: "a tool call's arguments", value: "canary-toolargs-Yp6mA2jWi8Qe", ownWords: true },
  tool_description: { what: "a tool's description", value: "canary-tooldesc-Ch4vR1tBx5Gn", ownWords: true },
  reply: { what: "a reply", value: "canary-reply-Du9zK3fPs7Ml", ownWords: true },
  silent_prompt: {
    what: "a prompt of a team with log: none",
    value: "canary-silentprompt-Rv4kE7dGy2Hn",
    ownWords: true,
  },
  told_key: {
    what: "a key in words of a team with log: full",
    value: "sk-canary-told-Wz6pO8tJb3Ma5QxF",
    ownWords: true,
  },
  user: { what: "a user member", value: "canary-user-Lw8hO6qTy2Ej", ownWords: true },
} as const satisfies Readonly<Record<string, Canary>>;

/** Which canaries show in a text, as they are or in a common coding. `answer` = they may be words of its own client. */
export function findCanaries(text: string, { answer = false }: { readonly answer?: boolean } = {}): string[] {
  const all: readonly Canary[] = Object.values(canaries);
  return all.filter(({ value, ownWords }) => !(answer && ownWords) && shows(text, value)).map(({ what }) => what);
}

function shows(text: string, value: string): boolean {
  const bytes = Buffer.from(value);
  // In base64 the place decides on the letters: all but the ends are the same in one of three.
  const coded = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .slice(4, -4),
  );
  return [value, bytes.toString("hex"), ...coded].some((one) => text.includes(one));
}
