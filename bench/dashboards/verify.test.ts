import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Prometheus, type Span, startPrometheus, whyNoPrometheus } from "./prometheus.ts";
import { queriesOfRules } from "./queries.ts";
import { verdictOn } from "./verify.ts";

const missing = whyNoPrometheus();
const rules = `
groups:
  - name: a
    rules:
      - record: job:lamps:sum
        expr: sum by (job) (lamps)
      - alert: Dark
        expr: job:lamps:sum < 1 and lamps{colour="red"} == 0
`;

describe.skipIf(missing !== undefined)(`a judge of queries${missing === undefined ? "" : `: ${missing}`}`, () => {
  let target: Server;
  let prometheus: Prometheus;
  let span: Span;
  let authorization: string | undefined;
  beforeAll(async () => {
    target = createServer((request, response) => {
      authorization = request.headers.authorization;
      response.end(
        '# TYPE lamps gauge\nlamps{colour="green"} 2\nlamps{colour="blue"} 1\n# TYPE none gauge\nnone NaN\n',
      );
    }).listen(0, "127.0.0.1");
    await once(target, "listening");
    const { port } = target.address() as { port: number };
    const from = Date.now() / 1000;
    prometheus = await startPrometheus({ targets: [`127.0.0.1:${port}`], token: "t", rules: { "a.rules.yml": rules } });
    const isRecorded = async () =>
      (await prometheus.at("job:lamps:sum and on () count(up) == 2", Date.now() / 1000)).length > 0;
    await vi.waitUntil(isRecorded, { timeout: 15_000, interval: 100 });
    span = { from, to: Date.now() / 1000 };
  });
  afterAll(async () => {
    await prometheus?.close();
    target.close();
  });

  test("scrapes with the token", () => expect(authorization).toBe("Bearer t"));

  test.each([
    ['lamps{colour=~"$team"}', "at", { count: 2, max: 2 }],
    ['lamps{colour="green"}', "over", { count: 1, max: 2 }],
    ["lamps", { label: "colour" }, { count: 2 }],
    ["none", "at", { problem: "no data" }],
    ['count(lamps{colour="red"}) or vector(0)', "at", { problem: 'no series of lamps{colour="red"}' }],
    ['up{job=~"$job"}', "at", { count: 1, max: 1 }],
    ['up{job=~".+"}', "at", { problem: expect.stringMatching(/has series of .* and /) }],
    ["lamps > 5", "at", { problem: "no data" }],
    ["sum by (", "at", { problem: expect.stringContaining("parse error") }],
  ] as const)("%s, asked %s", async (expr, how, verdict) => {
    expect(await verdictOn({ what: "a lamp", expr, how }, prometheus, span)).toMatchObject(verdict);
  });

  test("asks for what rules record and for each side of what alerts compare", async () => {
    const queries = queriesOfRules(await prometheus.rules());
    expect(queries.map(({ what, expr }) => [what, expr.trim()])).toEqual([
      ["rule job:lamps:sum", "sum by (job) (lamps)"],
      ["rule job:lamps:sum, recorded", "job:lamps:sum"],
      ["alert Dark, part 1 of 2", "job:lamps:sum"],
      ["alert Dark, part 2 of 2", 'lamps{colour="red"}'],
    ]);
    const verdicts = await Promise.all(queries.map((query) => verdictOn(query, prometheus, span)));
    expect(verdicts.map(({ problem }) => problem)).toEqual([
      undefined,
      undefined,
      undefined,
      'no series of lamps{colour="red"}',
    ]);
  });
});
