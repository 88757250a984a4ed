import { expect, test } from "vitest";
import { malformedHttp } from "../scoreboard/malformed-http.ts";
import { malformedRequests } from "./malformed-requests.ts";

test("what is not HTTP is refused with one 4xx and no backend hears of it; what is odd and yet HTTP is served", async () => {
  const names = malformedRequests.map(({ what }) => what);
  expect(new Set(names).size).toBe(names.length);
  const { ok, details } = await malformedHttp.run({ full: false, seed: 1 });
  expect(ok, details.join("\n")).toBe(true);
});
