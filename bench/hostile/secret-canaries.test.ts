import { expect, test } from "vitest";
import { canaries, findCanaries } from "./secret-canaries.ts";

test("a secret is found as it is, in hex, and in base64 at any place", () => {
  const { api_key: secret } = canaries;
  const codings = [secret.value, Buffer.from(secret.value).toString("hex")];
  for (const before of ["", "a", "ab", "abc"])
    codings.push(Buffer.from(`${before}${secret.value}:x`).toString("base64"));
  for (const coded of codings) expect(findCanaries(`{"x":"${coded}"}`)).toEqual([secret.what]);
  expect(findCanaries("nothing of the kind")).toEqual([]);
});

test("a client's own words may stand in its answer, a secret may not", () => {
  const text = `${canaries.prompt.value} ${canaries.team_key.value}`;
  expect(findCanaries(text, { answer: true })).toEqual([canaries.team_key.what]);
  expect(findCanaries(text)).toHaveLength(2);
});
