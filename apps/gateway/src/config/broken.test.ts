import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checkConfig } from "./check.ts";

const folder = fileURLToPath(new URL("./broken/", import.meta.url));

/** File -> the start of each line that must be printed, and the word that it must name. */
const expected: Record<string, readonly (readonly [place: string, word: string])[]> = {
  "misspelled-key.yaml": [["6:5: backends.gpu-1.max_concurency: ", "did you mean «max_concurrent»?"]],
  "unknown-backend.yaml": [["8:20: models.large.on[1].backend: ", "did you mean «gpu-1»?"]],
  "unknown-kind.yaml": [["3:18: backends.gpu-1.kind: ", "did you mean «vllm»?"]],
  "unknown-strategy.yaml": [["7:15: models.large.strategy: ", "did you mean «round_robin»?"]],
  "when-saturated.yaml": [
    ["5:59: models.large.when_saturated.use: ", "did you mean «small»?"],
    ["6:76: models.small.when_saturated.use: ", "«tiny» is the model itself"],
  ],
  "wrong-unit.yaml": [
    ["8:18: defaults.timeouts.first_token: ", "did you mean «30s»?"],
    ["9:17: defaults.retry_budget: ", "did you mean «20%»?"],
  ],
  "baseline-model.yaml": [["7:29: defaults.baseline_model: ", "did you mean «large»?"]],
  "baseline-without-cost.yaml": [["7:29: defaults.baseline_model: ", "«small» has no `cost`"]],
  "fallback-circle.yaml": [["7:49: models.small.fallback[0]: ", "large -> medium -> small -> large"]],
  "literal-secret.yaml": [
    ["6:14: backends.gpu-1.api_key: ", "$" + "{NAME}"],
    ["12:9: teams.search.keys[0]: ", "sha256:"],
  ],
  "unknown-model-in-rule.yaml": [
    ["8:27: routing[0].when.complexity: ", "did you mean «moderate»?"],
    ["9:15: routing[1].when.has_tool: ", "did you mean «has_tools»?"],
    ["10:12: routing[2].use: ", "did you mean «large»?"],
  ],
  "duplicate-key.yaml": [
    ["6:3: ", "«large» stands here twice"],
    ["6:48: models.large.strategy: ", "did you mean «ordered»?"],
  ],
  "open-to-all.yaml": [
    ["2:19: server.listen: ", "127.0.0.1:8080"],
    ["6:48: models.large.aliases[0]: ", "«auto» is reserved"],
  ],
  "not-yaml.yaml": [["4:1: ", "end with a }"]],
  "defaults.yaml": [
    ["6:80: models.large.defaults.top_q: ", "did you mean «top_p»?"],
    ["7:67: models.small.defaults.top_k: ", "only sglang, vllm, llama_cpp do"],
  ],
  "remember-reasoning.yaml": [
    ["6:58: models.large.remember_reasoning: ", "did you mean «1h»?"],
    ["7:39: models.medium.remember_reasonning: ", "did you mean «remember_reasoning»?"],
    ["8:37: models.small.remember_reasoning: ", "reasoning_history: inline"],
  ],
  "continue-final-message.yaml": [
    ["3:78: backends.gpu-1.continue_final_message: ", "expected true or false"],
    ["4:80: backends.edge.continue_final_message: ", "only sglang, vllm can"],
    ["6:38: models.large.restart_broken_stream: ", "did you mean «restart_broken_streams»?"],
    ["7:58: models.small.on[0].continue_final_message: ", "only sglang, vllm can"],
  ],
  "guard-unknown-action.yaml": [
    ["8:15: models.large.guard.schema: ", "did you mean «flag»?"],
    ["9:19: models.large.guard.undeclared: ", "did you mean «reject»?"],
    ["11:34: models.large.guard.deny[0].action: ", "«pass» is not one of flag, escalate, reject"],
    ["12:19: models.large.guard.deny[1].tool: ", "expected a pattern"],
  ],
  "guard-condition.yaml": [
    ["11:26: teams.agents.guard.deny[0].when.argument: ", "is missing"],
    ["11:34: teams.agents.guard.deny[0].when.arguments: ", "did you mean «argument»?"],
    ["14:54: teams.agents.guard.deny[1].when[0].matches[1]: ", "expected a text, not «7»"],
    ["15:15: teams.agents.guard.deny[1].when[1].matches: ", "expected a pattern or a list of patterns"],
    ["15:33: teams.agents.guard.deny[1].when[1].match: ", "did you mean «matches»?"],
    ["16:32: teams.agents.guard.deny[2].when: ", "expected { argument, matches }"],
    ["17:11: teams.agents.guard.deny[3].tool: ", "is missing"],
    ["17:13: teams.agents.guard.deny[3].tools: ", "did you mean «tool»?"],
  ],
  "guard-escalates-nowhere.yaml": [
    ["8:15: models.large.guard.schema: ", "name one in its `fallback`"],
    ["10:34: models.large.guard.deny[0].action: ", "name one in its `fallback`"],
  ],
  "hedge-alone.yaml": [
    ["6:76: models.large.hedge: ", "«large» runs on gpu-1 alone and has no `fallback`"],
    ["7:75: models.medium.hedge.after: ", "expected a duration"],
    ["8:67: models.small.hedge.delay: ", "unknown key «delay» (allowed: after)"],
  ],
  "hedge-one-attempt.yaml": [["6:58: models.large.hedge: ", "`defaults.attempts: 1`"]],
  "budgets.yaml": [
    ["5:51: models.large.cost.input: ", "did you mean «0.2/M»?"],
    ["5:64: models.large.cost.output: ", "did you mean «1.1/M»?"],
    ["7:1: usage: ", "name a `folder`"],
    ["11:24: teams.a.budget.tokens[0]: ", "keep at least 31d"],
    ["11:35: teams.a.budget.tokens[1]: ", "expected a budget such as"],
    ["11:52: teams.a.budget.cost: ", "did you mean «300/month»?"],
    ["11:70: teams.a.budget.gpu_seconds: ", "did you mean «36k/week»?"],
    ["15:32: teams.b.budget.tokens[1]: ", "a budget of tokens for a day stands here already"],
    ["15:47: teams.b.budget.cost: ", "none of the models that the team can reach has a `cost` above 0"],
    ["15:71: teams.b.budget.gpu_seconds: ", "says how many `gpus` it has"],
  ],
  "dead-rule.yaml": [["10:5: routing[2]: ", "routing.1"]],
  "hosted-only.yaml": [
    ["10:38: routing[0].use: ", "«rented» runs on hosted backends only, and the data of «payments» is local_only"],
    ["18:13: teams.payments.models: ", "«payments» can never use «rented»"],
    ["22:13: teams.payroll.models: ", "«payroll» can use no model"],
  ],
  "limits.yaml": [
    [
      "4:72: models.large.limits.tokens: ",
      "4 tokens can never be enough: the shortest chat is estimated at 5 (4 of its prompt, 1 of its reply)",
    ],
    ["10:32: teams.payments.limits.requests[2]: ", "[1] has a window of the same length"],
    ["11:16: teams.payments.limits.tokens[0]: ", "2 tokens can never be enough"],
    ["12:21: teams.payments.limits.input_tokens: ", "expected at least one rate"],
    ["13:23: teams.payments.limits.output_tokens[0]: ", "did you mean «10/min»?"],
    ["14:32: teams.payments.limits.per_key.input_tokens: ", "estimated at 4 (all of its prompt)"],
    ["14:39: teams.payments.limits.per_key.requests_: ", "did you mean «requests»?"],
    ["17:9: teams.payments.limits.per_model.big: ", "«large» is the same model"],
    ["18:9: teams.payments.limits.per_model.lage: ", "did you mean «large»?"],
    ["19:33: teams.payments.limits.per_model.vectors.per_key: ", "unknown key «per_key»"],
  ],
  "unknown-team.yaml": [
    ["7:21: routing[0].when.team: ", "did you mean «payments»?"],
    ["12:20: teams.payments.models[1]: ", "did you mean «large»?"],
    ["13:25: teams.payments.limits.requests: ", "did you mean «600/min»?"],
  ],
};

test("every broken file is expected here", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  expect(files.sort()).toEqual(Object.keys(expected).sort());
});

test.each(Object.entries(expected))(
  "%s: each error names its line, its column and the likely word",
  async (name, errors) => {
    const { ok, output } = await checkConfig(`${folder}${name}`, {});
    const printed = output.trimEnd().split("\n");
    expect(ok).toBe(false);
    expect(printed.pop()).toBe(errors.length === 1 ? "1 error" : `${errors.length} errors`);
    expect(printed).toHaveLength(errors.length);
    errors.forEach(([place, word], index) => {
      expect(printed[index]).toContain(`${name}:${place}`);
      expect(printed[index]).toContain(word);
    });
  },
);
