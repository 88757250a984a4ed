import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "../end-to-end/test-gateway.ts";
import { hashKey } from "../teams/keys.ts";
import { type CountingRelay, startCountingRelay } from "./counting-relay.ts";
import { ask, readAnswer } from "./wire-client.ts";

type Engine = "own" | "spare" | "cloud" | "rented";
const hosted = ["cloud", "rented"] as const;
const SECRET = "of-this-nobody-outside-may-hear";
const words = Array.from({ length: 12 }, (_, i) => `w${i} `);
const misfit = { name: "shell", arguments: { cmd: "ls" } };
const tools = [
  {
    type: "function",
    function: {
      name: "shell",
      parameters: { type: "object", properties: { command: { type: "string" } }, required: ["command"] },
    },
  },
];

let gateway: TestGateway<Engine>;
const relays = {} as Record<(typeof hosted)[number], CountingRelay>;

beforeAll(async () => {
  const script = [{ when: { contains: "call" }, reply: { tool_calls: [misfit] } }, { reply: { deltas: words } }];
  const answers = [{ reply: { deltas: words } }];
  gateway = await startTestGateway<Engine>({
    engines: {
      own: { kind: "vllm", models: ["big"], script },
      spare: { kind: "vllm", models: ["big"], script },
      cloud: { kind: "openai", models: ["big"], script: answers },
      rented: { kind: "vllm", models: ["big"], script: answers },
    },
    yaml: () => policy("models: { large: { on: [{ backend: own, model: big }] } }"),
  });
  for (const name of hosted) relays[name] = await startCountingRelay(gateway.engines[name].url);
});
afterAll(async () => {
  for (const relay of Object.values(relays)) await relay.close();
  await gateway.close();
});
beforeEach(async () => {
  for (const engine of Object.values(gateway.engines)) await engine.clearFaults();
});

let policies = 0;

/** Two own backends and two hosted ones; `data` is what the team `payments` has. */
function policy(models: string, data = "local_only", more: { probes?: string } = {}): string {
  const at = (name: Engine) => (gateway === undefined ? "http://127.0.0.1:9" : gateway.engines[name].url);
  const keys = (team: string) => `keys: ["${hashKey(`key-${team}`)}"]`;
  const rule = data === "" ? "" : `, data: ${data}`;
  // Another number makes another backend: none begins with the open breakers of the policy before.
  const own = `, max_concurrent: ${1000 + policies++}`;
  return `
backends:
  own: { kind: vllm, url: "${at("own")}", continue_final_message: true${own} }
  spare: { kind: vllm, url: "${at("spare")}"${own} }
  cloud: { kind: openai, url: "${relays.cloud?.url ?? "http://127.0.0.1:9"}"${own} }
  rented: { kind: vllm, url: "${relays.rented?.url ?? "http://127.0.0.1:9"}", hosted: true, continue_final_message: true${own} }
${models}
teams:
  payments: { ${keys("payments")}${rule} }
  search: { ${keys("search")} }
defaults:
  timeouts: { connect: 500ms, first_token: 500ms, idle: 150ms, total: 1500ms }
  probe: { interval: ${more.probes ?? "60s"}, timeout: 400ms }
  retry_budget: 100%
`;
}

async function put(yaml: string): Promise<void> {
  await gateway.apply(yaml);
  const { backends } = gateway.gateway.serving;
  await expect.poll(() => [...backends.values()].every(({ state }) => state.health.status === "ready")).toBe(true);
}

const body = (model: string, stream: boolean, more = {}) => ({
  model,
  stream,
  messages: [{ role: "user", content: SECRET }],
  ...more,
});
async function chat(team: string, request: object) {
  const answer = await ask(gateway.url, { body: request, headers: { authorization: `Bearer key-${team}` } });
  return { ...answer, ...readAnswer(answer) };
}
const used = () => hosted.map((name) => relays[name].used).reduce((a, b) => a + b);

interface Way {
  readonly models: string;
  readonly request: object;
  /** What makes the own backend let the request down. */
  fault?(): void | Promise<void>;
  readonly probes?: string;
}
const on = (...backends: Engine[]) => `on: [${backends.map((name) => `{ backend: ${name}, model: big }`).join(", ")}]`;
const refuse = (engine: Engine) => gateway.engines[engine].fault({ kind: "status", status: 500 });

/** Every way on which a request gets from its first backend to another one. */
const ways: Record<string, Way> = {
  "another backend of its model": {
    models: `models: { large: { ${on("own", "cloud")}, strategy: ordered } }`,
    request: body("large", true),
    fault: () => refuse("own"),
  },
  "a fallback": {
    models: `models: { large: { ${on("own")}, fallback: [other] }, other: { ${on("cloud")} } }`,
    request: body("large", false),
    fault: () => refuse("own"),
  },
  "a hedge on another backend": {
    models: `models: { large: { ${on("own", "rented")}, strategy: ordered, hedge: { after: 30ms } } }`,
    request: body("large", true),
    fault: () => gateway.engines.own.fault({ kind: "headers_then_silence" }),
  },
  "a hedge on a fallback": {
    models: `models: { large: { ${on("own")}, fallback: [other], hedge: { after: 30ms } }, other: { ${on("cloud")} } }`,
    request: body("large", true),
    fault: () => gateway.engines.own.fault({ kind: "headers_then_silence" }),
  },
  "the continuation of a broken stream": {
    models: `models: { large: { ${on("own", "rented")}, strategy: ordered } }`,
    request: body("large", true),
    fault: () => gateway.engines.own.fault({ kind: "cut", after_tokens: 4 }),
  },
  "a stream that is asked for anew": {
    models: `models: { large: { ${on("spare", "cloud")}, strategy: ordered, restart_broken_streams: true } }`,
    request: body("large", true),
    fault: () => gateway.engines.spare.fault({ kind: "cut", after_tokens: 4 }),
  },
  "a larger model, for a prompt that is too long for the backend": {
    models: `models: { large: { ${on("own")}, context: 1k, fallback: [other] }, other: { ${on("cloud")}, context: 9k } }`,
    request: body("large", true),
    fault: () =>
      gateway.engines.own.fault({
        kind: "status",
        status: 400,
        body: {
          error: { message: "This model's maximum context length is 9 tokens", type: "BadRequestError", code: 400 },
        },
      }),
  },
  "a larger model, for a tool call that the guard refuses": {
    models: `models: { large: { ${on("own")}, fallback: [other], guard: { schema: escalate } }, other: { ${on("cloud")} } }`,
    request: { ...body("large", true), tools, messages: [{ role: "user", content: `call ${SECRET}` }] },
  },
  "panic mode": {
    models: `models: { large: { ${on("own", "cloud")}, strategy: ordered } }`,
    request: body("large", true),
    probes: "30ms",
    fault: async () => {
      // Of the own backend all evidence is bad, of the hosted one only what its probes say.
      refuse("own");
      for (const name of ["own", "cloud"] as const) {
        gateway.engines[name].fault({ kind: "status", status: 500, paths: ["/health", "/v1/models"], probes: true });
      }
      const { backends } = gateway.gateway.serving;
      await expect
        .poll(() => [...backends.values()].filter(({ state }) => state.health.status === "down").length, {
          timeout: 5000,
        })
        .toBeGreaterThanOrEqual(2);
    },
  },
  "a rule of `auto`": {
    models: `models: { large: { ${on("own")} }, other: { ${on("cloud")} } }\nrouting: [{ when: { has_tools: false }, use: other }, { use: large }]`,
    request: body("auto", true),
  },
  "a name that a rule takes over": {
    models: `models: { large: { ${on("own")} }, other: { ${on("cloud")} } }\nrouting: [{ when: { model: "gpt-*" }, use: other }]`,
    request: body("gpt-4o", false),
  },
  "its own name": {
    models: `models: { large: { ${on("own")} }, other: { ${on("cloud")}, aliases: [gpt] } }`,
    request: body("gpt", false),
  },
};

describe.each(Object.entries(ways))("%s", (_way, { models, request, fault, probes }) => {
  const more = probes === undefined ? {} : { probes };

  test("leads to a hosted backend, for who may go there", async () => {
    await put(policy(models, "", more));
    const before = used();
    await fault?.();
    await chat("payments", request);
    expect(used()).toBeGreaterThan(before);
  });

  test("never leads a team there whose data stays local, a reload away from where it did", async () => {
    await put(policy(models, "local_only", more));
    const before = used();
    await fault?.();
    const { status, error } = await chat("payments", request);
    expect(used()).toBe(before);
    if (status >= 400 || error !== undefined) expect(error?.code).toMatch(/^[a-z_]+$/);
  });
});

test("a model that runs on hosted backends only is 403 for the team, is not listed for it, and its metric says so", async () => {
  await put(
    policy(`models: { large: { ${on("own", "cloud")} }, other: { ${on("cloud", "rented")}, aliases: [gpt] } }`),
  );
  const before = used();
  for (const name of ["other", "gpt"]) {
    const { status, error } = await chat("payments", body(name, true));
    expect(status).toBe(403);
    expect(error).toMatchObject({ code: "data_not_allowed", type: "permission_error" });
    expect(error?.message).toContain("hosted backends only");
  }
  expect(used()).toBe(before);
  const listed = async (team: string) => {
    const response = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer key-${team}` } });
    return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
  };
  expect(await listed("payments")).toEqual(["large"]);
  expect(await listed("search")).toEqual(["gpt", "large", "other"]);
  expect(await gateway.metrics()).toContain(
    'team="payments",model="other",endpoint="chat_completions",status="403",code="data_not_allowed"',
  );
});

test("a chain that was made of the whole policy all the same ends before a hosted backend", async () => {
  await put(policy(`models: { large: { ${on("cloud", "rented")} } }`, ""));
  const { config } = gateway.gateway.serving;
  gateway.gateway.apply({ ...config, privacy: { ...config.privacy, keepsLocal: (team) => team === "payments" } });
  const before = used();
  const refused = await chat("payments", body("large", true));
  expect(refused.status).toBe(403);
  expect(refused.error?.code).toBe("data_not_allowed");
  expect(used()).toBe(before);
  expect((await chat("search", body("large", true))).status).toBe(200);
});

test("/status names the hosted backends", async () => {
  await put(policy(`models: { large: { ${on("own", "cloud", "rented")} } }`));
  const status = (await (await fetch(`${gateway.adminUrl}/status`)).json()) as {
    backends: { name: string; hosted: boolean }[];
  };
  expect(status.backends.filter((one) => one.hosted).map(({ name }) => name)).toEqual(["cloud", "rented"]);
});

const engines: readonly Engine[] = ["own", "spare", "cloud", "rented"];
const anyModel = fc.record({
  backends: fc.uniqueArray(fc.constantFrom(...engines), { minLength: 1, maxLength: 4 }),
  strategy: fc.constantFrom("ordered", "least_busy", "round_robin", "two_choices"),
  fallback: fc.subarray([0, 1, 2, 3]),
  hedge: fc.boolean(),
  restart: fc.boolean(),
  escalate: fc.boolean(),
});
const anyFault = fc.constantFrom(
  undefined,
  { kind: "status", status: 500 } as const,
  { kind: "status", status: 503 } as const,
  { kind: "reset" } as const,
  { kind: "headers_then_silence" } as const,
  { kind: "cut", after_tokens: 4 } as const,
  { kind: "stall", after_tokens: 4 } as const,
);
const anyRequest = fc.record({
  model: fc.constantFrom("auto", "m0", "m1", "m2", "m3", "gpt-4o"),
  stream: fc.boolean(),
  call: fc.boolean(),
});

function randomModels(
  models: readonly (typeof anyModel extends fc.Arbitrary<infer T> ? T : never)[],
  rules: readonly number[],
): string {
  const lines = models.map(({ backends, strategy, fallback, hedge, restart, escalate }, index) => {
    // What `check` would refuse: circles, and hedges and escalations with nobody to ask.
    const below = fallback.filter((other) => other > index && other < models.length);
    const more = [
      ...(below.length > 0 ? [`fallback: [${below.map((other) => `m${other}`).join(", ")}]`] : []),
      ...(hedge && (backends.length > 1 || below.length > 0) ? ["hedge: { after: 20ms }"] : []),
      ...(escalate && below.length > 0 ? ["guard: { schema: escalate }"] : []),
    ];
    const all = [on(...backends), `strategy: ${strategy}`, `restart_broken_streams: ${restart}`, ...more];
    return `  m${index}: { ${all.join(", ")} }`;
  });
  const routing = rules.map((use, index) =>
    index === rules.length - 1 ? `  - { use: m${use} }` : `  - { when: { header.x-rule: "${index}" }, use: m${use} }`,
  );
  return `models:\n${lines.join("\n")}\n  base: { ${on("own")} }\nrouting:\n  - { when: { model: "gpt-*" }, use: m0 }\n${routing.join("\n")}`;
}

test("under any policy and any faults no request of the team reaches a hosted backend", {
  timeout: 120_000,
}, async () => {
  let free = 0;
  const counts = { ok: 0, failed: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyModel, { minLength: 4, maxLength: 4 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
      fc.record({ own: anyFault, spare: anyFault }),
      fc.array(anyRequest, { minLength: 6, maxLength: 6 }),
      async (models, rules, faults, requests) => {
        for (const engine of Object.values(gateway.engines)) await engine.clearFaults();
        await put(policy(randomModels(models, rules)));
        for (const name of ["own", "spare"] as const) if (faults[name]) gateway.engines[name].fault(faults[name]);
        const send = (team: string) =>
          Promise.all(
            requests.map(({ model, stream, call }) => {
              const content = `${call ? "call " : ""}${team === "payments" ? `${SECRET} at all` : "hi"}`;
              return chat(team, { model, stream, ...(call && { tools }), messages: [{ role: "user", content }] });
            }),
          );
        const before = used();
        for (const { status } of await send("payments")) counts[status === 200 ? "ok" : "failed"]++;
        expect(used()).toBe(before);
        await Promise.all([send("payments"), send("search")]);
        free += used() - before;
      },
    ),
    { numRuns: 25 },
  );
  for (const name of hosted) expect(relays[name].heard).not.toContain(`${SECRET} at all`);
  // The faults and the policies were such that others did go there, and the team was served all the same.
  expect(free).toBeGreaterThan(10);
  expect(counts.ok).toBeGreaterThan(10);
  expect(counts.failed).toBeGreaterThan(0);
});
