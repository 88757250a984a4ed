import { GatewayError } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import { decide, usableModels } from "./decide.ts";
import type { Condition, Model, Policy, RequestFacts } from "./policy.ts";

const tool = { type: "function", function: { name: "weather", parameters: {} } };
const hard = "Design a fault-tolerant distributed rate limiter and analyse its failure modes";

function model(name: string, options: Partial<Model> = {}): Model {
  return {
    name,
    aliases: [],
    deployments: [],
    strategy: "ordered",
    context: undefined,
    capabilities: {},
    fallback: [],
    defaults: {},
    ...options,
  };
}

function policyOf(models: readonly Model[], rules: readonly (readonly [Condition, string])[] = []): Policy {
  return {
    models: new Map(models.map((entry) => [entry.name, entry])),
    aliases: new Map(models.flatMap(({ name, aliases }) => aliases.map((alias) => [alias, name]))),
    rules: rules.map(([when, use], index) => ({ when, use, label: `routing.${index}` })),
    thresholds: { moderate: 0.35, complex: 0.65 },
  };
}

function ask(body: Record<string, unknown> | string, facts: Partial<RequestFacts> = {}): RequestFacts {
  const chat = typeof body === "string" ? { messages: [{ role: "user", content: body }] } : body;
  return {
    endpoint: "chat_completions",
    team: "search",
    model: "auto",
    body: chat,
    header: () => undefined,
    bytes: 1,
    ...facts,
  };
}

function errorOf(run: () => unknown): GatewayError {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) return error;
  }
  throw new Error("no GatewayError");
}

const large = model("large", { context: 196_000, capabilities: { tools: true } });
const small = model("small", { context: 32_000, fallback: ["large"], aliases: ["qwen"] });
const sample = policyOf(
  [large, small],
  [
    [{ team: ["payments"] }, "large"],
    [{ has_tools: true, complexity: { op: ">=", value: "moderate" } }, "large"],
    [{ complexity: { op: "==", value: "simple" }, tokens: { op: "<", value: 2000 } }, "small"],
    [{}, "large"],
  ],
);
const names = (models: readonly Model[]) => models.map(({ name }) => name);

describe("auto", () => {
  test("an easy question goes to the small model, and the reason says why", () => {
    const decision = decide(sample, ask("hi there"));
    expect(decision.reason).toBe(`routing.2: complexity simple, tokens ${decision.tokens} -> small`);
    expect(names(decision.chain)).toEqual(["small", "large"]);
    expect(decision.complexity).toBe("simple");
    expect(decision.reasons.join("\n")).toContain("complexity simple, score 0.00");
  });

  test("tells which rule chose, or that the client named the model, by whichever name", () => {
    expect(decide(sample, ask("hi there")).rule).toMatch(/^routing\.\d$/);
    expect(decide(sample, ask("hi", { team: "payments" })).rule).toBe("routing.0");
    expect(decide(sample, ask("hi", { model: "large" })).rule).toBe("named");
    expect(decide(sample, ask("hi", { model: "qwen" })).rule).toBe("named");
  });

  test("a hard question goes to the large model by the last rule", () => {
    expect(decide(sample, ask(hard))).toMatchObject({ model: large, reason: "routing.3 -> large" });
  });

  test("the first rule that matches wins, and complexity is not computed for nothing", () => {
    const decision = decide(sample, ask("hi there", { team: "payments" }));
    expect(decision).toMatchObject({
      model: large,
      reason: "routing.0: team payments -> large",
      complexity: undefined,
    });
  });

  test("a tool loop is complex however short its last line is", () => {
    const messages = [
      { role: "user", content: "weather?" },
      { role: "assistant", content: null, tool_calls: [{ id: "1", function: { name: "weather", arguments: "{}" } }] },
      { role: "tool", tool_call_id: "1", content: "sunny" },
    ];
    const decision = decide(sample, ask({ messages, tools: [tool] }));
    expect(decision.reason).toBe("routing.1: tools, complexity complex -> large");
    expect(decision.reasons.join()).toContain("tool loop in progress: never downgraded");
  });

  test("without a rule that matches it is a 404 that says so", () => {
    const policy = policyOf([large], [[{ team: ["payments"] }, "large"]]);
    const error = errorOf(() => decide(policy, ask("hi")));
    expect(error).toMatchObject({ code: "model_not_found", status: 404 });
    expect(error.message).toContain("no routing rule matches");
  });

  test("without rules it is an unknown model", () => {
    expect(errorOf(() => decide(policyOf([large]), ask("hi"))).message).toBe(
      'there is no model "auto"; this key may use: large',
    );
  });

  test("a rule whose models cannot take the request is passed over", () => {
    const blind = model("blind", { capabilities: { tools: false } });
    const policy = policyOf(
      [blind, large],
      [
        [{ complexity: { op: "<=", value: "moderate" } }, "blind"],
        [{}, "large"],
      ],
    );
    const decision = decide(policy, ask({ messages: [{ role: "user", content: "hi" }], tools: [tool] }));
    expect(decision.reason).toBe("routing.1 -> large");
    expect(decision.reasons[0]).toBe("routing.0 passed over: blind: does not support tools");
  });

  test("when every rule is passed over the first refusal is the answer", () => {
    const policy = policyOf(
      [model("a", { capabilities: { tools: false } }), model("b", { context: 1 })],
      [
        [{}, "a"],
        [{}, "b"],
      ],
    );
    const body = { messages: [{ role: "user", content: "hello" }], tools: [tool] };
    expect(errorOf(() => decide(policy, ask(body))).message).toBe("a: does not support tools");
  });
});

describe("names", () => {
  test("a name and an alias are that model, whatever the rules say of auto", () => {
    expect(decide(sample, ask(hard, { model: "small" }))).toMatchObject({ model: small, reason: "named -> small" });
    expect(decide(sample, ask(hard, { model: "qwen" })).reason).toBe("alias qwen -> small");
  });

  test("a rule that names a model takes the name over", () => {
    const policy = policyOf(
      [large, small],
      [
        [{ model: ["gpt-*"], complexity: { op: "==", value: "simple" } }, "small"],
        [{ model: ["gpt-*"] }, "large"],
        [{}, "large"],
      ],
    );
    expect(decide(policy, ask("hi", { model: "gpt-4o" })).model).toBe(small);
    expect(decide(policy, ask(hard, { model: "gpt-4o" })).model).toBe(large);
    expect(errorOf(() => decide(policy, ask("hi", { model: "claude" }))).code).toBe("model_not_found");
  });

  test("an unknown name is a 404 with the names that this key may use", () => {
    const error = errorOf(() => decide(sample, ask("hi", { model: "larg" }), new Set(["auto", "small"])));
    expect(error).toMatchObject({ code: "model_not_found", status: 404, param: "model" });
    expect(error.message).toBe('there is no model "larg"; this key may use: auto, small');
  });

  test("lists at most twenty names", () => {
    const many = policyOf(Array.from({ length: 25 }, (_, index) => model(`m${10 + index}`)));
    expect(errorOf(() => decide(many, ask("hi", { model: "x" }))).message).toMatch(/m10, .*, m29 \+5 more$/);
  });

  test("names of the language itself are no models", () => {
    for (const name of ["__proto__", "constructor", "toString", ""]) {
      expect(errorOf(() => decide(sample, ask("hi", { model: name }))).code).toBe("model_not_found");
    }
  });

  test("control characters in a name stay escaped", () => {
    const { message } = errorOf(() => decide(sample, ask("hi", { model: "a\r\nb\u001b[31m" })));
    expect(message).toContain('"a\\r\\nb\\u001b[31m"');
  });
});

describe("teams", () => {
  test("a model that the team may not use is a 403", () => {
    const error = errorOf(() => decide(sample, ask("hi", { model: "large" }), new Set(["auto", "small"])));
    expect(error).toMatchObject({ code: "model_not_allowed", status: 403 });
    expect(error.message).toBe('team search may not use the model "large"; this key may use: auto, small');
  });

  test("auto must be allowed like a model", () => {
    expect(errorOf(() => decide(sample, ask("hi"), new Set(["small"]))).code).toBe("model_not_allowed");
  });

  test("with auto and small, large is reached by rules and fallbacks alone", () => {
    const allowed = new Set(["auto", "small"]);
    expect(decide(sample, ask(hard), allowed).model).toBe(large);
    expect(names(decide(sample, ask(hard, { model: "small" }), allowed).chain)).toEqual(["small", "large"]);
  });

  test("an alias is allowed with its model", () => {
    expect(decide(sample, ask("hi", { model: "qwen" }), new Set(["small"])).model).toBe(small);
  });

  test("a name that a rule takes over needs auto or the rule's model", () => {
    const policy = policyOf([large, small], [[{ model: ["gpt-*"] }, "large"]]);
    const asked = ask("hi", { model: "gpt-4o" });
    expect(decide(policy, asked, new Set(["large"])).model).toBe(large);
    expect(errorOf(() => decide(policy, asked, new Set(["small"]))).code).toBe("model_not_found");
  });

  test("usable models are sorted, with auto where there are rules", () => {
    expect(usableModels(sample, undefined)).toEqual(["auto", "large", "small"]);
    expect(usableModels(policyOf([small, large]), undefined)).toEqual(["large", "small"]);
    expect(usableModels(sample, new Set(["small", "gone"]))).toEqual(["small"]);
  });
});

describe("the chain", () => {
  test("goes through fallbacks breadth-first, each model once, circles included", () => {
    const policy = policyOf([
      model("a", { fallback: ["b", "c"] }),
      model("b", { fallback: ["d", "a"] }),
      model("c", { fallback: ["b", "e"] }),
      model("d"),
      model("e", { fallback: ["a"] }),
    ]);
    expect(names(decide(policy, ask("hi", { model: "a" })).chain)).toEqual(["a", "b", "c", "d", "e"]);
  });

  const needs = {
    tools: { tools: [tool] },
    images: { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:x" } }] }] },
    json_schema: { response_format: { type: "json_schema", json_schema: {} } },
  } as const;

  test.each(Object.entries(needs))("three-valued: %s", (need, body) => {
    const request = ask({ messages: [{ role: "user", content: "hi" }], ...body }, { model: "a" });
    const chain = (a: boolean | undefined, b: boolean | undefined) =>
      names(
        decide(
          policyOf([
            model("a", { fallback: ["b"], capabilities: { [need]: a } }),
            model("b", { capabilities: { [need]: b } }),
          ]),
          request,
        ).chain,
      );
    expect(chain(true, true)).toEqual(["a", "b"]);
    expect(chain(undefined, undefined)).toEqual(["a", "b"]);
    expect(chain(undefined, true)).toEqual(["b"]);
    expect(chain(undefined, false)).toEqual(["a"]);
    expect(chain(false, undefined)).toEqual(["b"]);
    expect(errorOf(() => chain(false, false))).toMatchObject({ code: "capability_not_supported", status: 400 });
  });

  test("tells what was left out, in the header too", () => {
    const decision = decide(
      sample,
      ask({ messages: [{ role: "user", content: "hi" }], tools: [tool] }, { model: "small" }),
    );
    expect(decision.reason).toBe("named -> large (small: tools not declared)");
    expect(decision.reasons).toContain("small: tools not declared");
  });

  test("tools that may not be used need no model that can", () => {
    const policy = policyOf([model("a", { capabilities: { tools: false } })]);
    const body = { messages: [{ role: "user", content: "hi" }], tools: [tool], tool_choice: "none" };
    expect(decide(policy, ask(body, { model: "a" })).model.name).toBe("a");
  });

  test("embeddings need a model that makes them", () => {
    const policy = policyOf([model("chat", { capabilities: { embeddings: false } }), model("vectors")]);
    const request = (name: string) => ask({ input: "text" }, { endpoint: "embeddings", model: name });
    expect(decide(policy, request("vectors")).model.name).toBe("vectors");
    expect(errorOf(() => decide(policy, request("chat"))).message).toBe("chat: does not support embeddings");
  });

  test("a prompt that is too long for the model goes to a fallback with more context", () => {
    const decision = decide(sample, ask("word ".repeat(40_000), { model: "small" }));
    expect(decision.model).toBe(large);
    expect(decision.reason).toContain("tokens over its context of 32000");
  });

  test("prompt and reply count together", () => {
    const body = { messages: [{ role: "user", content: "hi" }], max_tokens: 32_000 };
    expect(decide(sample, ask(body, { model: "small" })).model).toBe(large);
    expect(decide(sample, ask({ ...body, max_tokens: 31_000 }, { model: "small" })).model).toBe(small);
  });

  test("what fits nowhere is a 400 with the numbers", () => {
    const body = { messages: [{ role: "user", content: "word ".repeat(250_000) }], max_tokens: 500 };
    const error = errorOf(() => decide(sample, ask(body, { model: "small" })));
    expect(error).toMatchObject({ code: "context_length_exceeded", status: 400 });
    expect(error.message).toMatch(
      /about 2\d{5} tokens and max_tokens 500 does not fit in the context of large, 196000 tokens/,
    );
  });

  test("a doubtful estimate is left to the backend when nothing larger is there", () => {
    const text = "word ".repeat(950);
    const { tokens } = decide(policyOf([model("a")]), ask(text, { model: "a" }));
    const policy = policyOf([model("a", { context: Math.floor(tokens * 0.95) })]);
    expect(decide(policy, ask(text, { model: "a" })).model.name).toBe("a");
  });

  test("inputs of an embedding are measured one by one", () => {
    const policy = policyOf([model("vectors", { context: 512 })]);
    const input = Array.from({ length: 100 }, () => "word ".repeat(100));
    const decision = decide(policy, ask({ input }, { endpoint: "embeddings", model: "vectors" }));
    expect(decision.tokens).toBeGreaterThan(5000);
  });
});

test("the reason is short printable ASCII, whatever names the config holds", () => {
  const policy = policyOf([model("größe-模型"), large], [[{ team: ["*"] }, "größe-模型"]]);
  const { reason } = decide(policy, ask("hi", { team: "t".repeat(300) }));
  expect(reason).toMatch(/^[\x20-\x7e]{1,120}$/);
  expect(reason).toMatch(/\.\.\. -> gr\?\?e-\?\?$/);
});
