import { describe, expect, test } from "vitest";
import type { AdminRole } from "../config/config.ts";
import { hashKey } from "../teams/keys.ts";
import { type AdminAccess, type AdminNeed, admitAdmin } from "./admin-guard.ts";

const json = { "content-type": "application/json", host: "127.0.0.1:9090" };
const token = (name: string, role: AdminRole, text: string) => {
  return { name, role, hash: Buffer.from(hashKey(text).slice(7), "hex") };
};
const local: AdminAccess = { local: true, tokens: [], guardsReading: false };
const remote: AdminAccess = { ...local, local: false };
const withToken: AdminAccess = { ...remote, tokens: [token("admin", "admin", "the-token-of-16-or-more")] };
const change: AdminNeed = { role: "operator", kind: "change" };

function codeOf(
  headers: Readonly<Record<string, string>>,
  access: AdminAccess,
  need: AdminNeed = change,
): string | undefined {
  const admitted = admitAdmin((name) => headers[name], access, need);
  return "error" in admitted ? admitted.error.code : undefined;
}

describe("a listener of this machine alone", () => {
  test.each(["127.0.0.1:9090", "127.0.0.1", "127.9.9.9:1", "localhost:9090", "LOCALHOST", "[::1]:9090", "[::1]"])(
    "takes changes under the name %s",
    (host) => {
      expect(codeOf({ ...json, host }, local)).toBeUndefined();
    },
  );

  test.each([
    "evil.example:9090",
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example:9090",
    "127.0.0.1@evil.example",
    "127.0.0.1:9090.evil.example",
    "0.0.0.0:9090",
    "10.0.0.1",
    "[::2]:9090",
    "[::1].evil.example",
    "",
  ])("takes none under the name «%s», which a page can make point here", (host) => {
    expect(codeOf({ ...json, host }, local)).toBe("change_not_allowed");
    expect(codeOf({ ...json, host, origin: `http://${host}` }, local)).toBe("change_not_allowed");
  });

  test("takes none without a name", () => {
    expect(codeOf({ "content-type": "application/json" }, local)).toBe("change_not_allowed");
  });
});

describe("a page in a browser", () => {
  test.each(["http://evil.example", "null", "http://127.0.0.1:9091", "http://localhost:9090", "https://127.0.0.1"])(
    "of the origin %s changes nothing, with or without the token",
    (origin) => {
      expect(codeOf({ ...json, origin }, local)).toBe("change_not_allowed");
      const shown = { ...json, origin, authorization: "Bearer the-token-of-16-or-more" };
      expect(codeOf(shown, withToken)).toBe("change_not_allowed");
    },
  );

  test.each([undefined, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"])(
    "that sends %s, as it may without asking, changes nothing",
    (type) => {
      const { "content-type": _, ...rest } = json;
      const headers = type === undefined ? rest : { ...rest, "content-type": type };
      expect(codeOf(headers, local)).toBe("invalid_request");
      expect(codeOf({ ...headers, authorization: "Bearer the-token-of-16-or-more" }, withToken)).toBe(
        "invalid_request",
      );
    },
  );

  test("of the listener's own origin is no stranger", () => {
    expect(codeOf({ ...json, origin: "http://127.0.0.1:9090" }, local)).toBeUndefined();
    expect(codeOf({ ...json, origin: "https://127.0.0.1:9090" }, local)).toBeUndefined();
  });

  test("may name the charset", () => {
    expect(codeOf({ ...json, "content-type": "Application/JSON; charset=utf-8" }, local)).toBeUndefined();
  });
});

test("a listener that others can reach takes no change without a token of its own", () => {
  expect(codeOf(json, remote)).toBe("change_not_allowed");
  expect(codeOf({ ...json, authorization: "Bearer anything" }, remote)).toBe("change_not_allowed");
});

describe("a token", () => {
  const shows = (authorization: string) => codeOf({ ...json, host: "signalbox.internal", authorization }, withToken);

  test("that is right opens it under any name", () => {
    expect(shows("Bearer the-token-of-16-or-more")).toBeUndefined();
    expect(shows("bearer  the-token-of-16-or-more")).toBeUndefined();
  });

  test.each([
    "Bearer the-token-of-16-or-mor",
    "Bearer the-token-of-16-or-more2",
    "Bearer THE-TOKEN-OF-16-OR-MORE",
    "Bearer ",
    "Bearer",
    "Basic the-token-of-16-or-more",
    "the-token-of-16-or-more",
    "Bearer the-token-of-16-or-more, Bearer x",
    "",
  ])("of «%s» does not", (authorization) => {
    expect(shows(authorization)).toBe("invalid_api_key");
  });

  test("is wanted on a listener of this machine too, once there is one", () => {
    expect(codeOf(json, { ...withToken, local: true })).toBe("invalid_api_key");
  });
});

describe("roles", () => {
  const access: AdminAccess = {
    local: true,
    guardsReading: true,
    tokens: [
      token("grafana", "viewer", "token-of-a-viewer"),
      token("oncall", "operator", "token-of-operator"),
      token("boss", "admin", "token-of-an-admin"),
    ],
  };
  const needs = {
    read: { role: "viewer", kind: "read" },
    list: { role: "viewer", kind: "list" },
    drain: { role: "operator", kind: "change" },
    keys: { role: "admin", kind: "change" },
  } as const satisfies Record<string, AdminNeed>;
  const enough = undefined;
  const small = "role_not_sufficient";

  test.each([
    ["token-of-a-viewer", [enough, enough, small, small]],
    ["token-of-operator", [enough, enough, enough, small]],
    ["token-of-an-admin", [enough, enough, enough, enough]],
    ["token-of-nobody-here", Array.from({ length: 4 }, () => "invalid_api_key")],
  ])("of %s may do so much", (shown, codes) => {
    const headers = { ...json, authorization: `Bearer ${shown}` };
    expect(Object.values(needs).map((need) => codeOf(headers, access, need))).toEqual(codes);
  });

  test("name who asks, also where that is refused", () => {
    const shown: Record<string, string> = { ...json, authorization: "Bearer token-of-a-viewer" };
    const refused = admitAdmin((name) => shown[name], access, change);
    expect(refused).toMatchObject({
      error: { code: "role_not_sufficient" },
      actor: { name: "grafana", role: "viewer" },
    });
    const headers: Record<string, string> = { ...json, authorization: "Bearer token-of-operator" };
    expect(admitAdmin((name) => headers[name], access, change)).toEqual({ name: "oncall", role: "operator" });
    expect(admitAdmin((name) => json[name as "host"], local, change)).toEqual({ name: "local", role: "admin" });
  });

  test("are not asked for what everybody may read, where no tokens are listed", () => {
    expect(codeOf({ host: "evil.example" }, withToken, needs.read)).toBeUndefined();
    expect(codeOf({ host: "evil.example" }, remote, needs.read)).toBeUndefined();
  });

  test("guard the list of keys everywhere: by a token, or the machine's own name", () => {
    expect(codeOf({ host: "127.0.0.1" }, local, needs.list)).toBeUndefined();
    expect(codeOf({ host: "evil.example" }, local, needs.list)).toBe("change_not_allowed");
    expect(codeOf({ host: "127.0.0.1" }, remote, needs.list)).toBe("change_not_allowed");
    expect(codeOf({ host: "127.0.0.1" }, withToken, needs.list)).toBe("invalid_api_key");
  });
});
