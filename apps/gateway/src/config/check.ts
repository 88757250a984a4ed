import { GatewayError, requestSchemas } from "@signalbox/protocol";
import { decide, type RequestFacts } from "@signalbox/router";
import { openTeam } from "../teams/keys.ts";
import type { Config, PolicyTest } from "./config.ts";
import { type LoadOptions, loadConfigFile } from "./load.ts";
import { formatError } from "./problems.ts";

/** What `signalbox check` prints, and whether all is well. */
export interface CheckResult {
  readonly ok: boolean;
  /** Lines for people; ends with a line break. */
  readonly output: string;
}

/** What came of one test of a policy file. */
export interface PolicyTestResult {
  readonly test: PolicyTest;
  readonly pass: boolean;
  /** Where the request went and why, or which error it ended in. */
  readonly got: string;
  /** What was expected and did not come; empty when it passed. */
  readonly missed: readonly string[];
}

/** Checks a policy file and runs the tests in it. Never rejects. */
export async function checkConfig(path: string, env: LoadOptions["env"] = process.env): Promise<CheckResult> {
  const result = await loadConfigFile(path, env);
  if (!result.ok) {
    const { errors } = result;
    return { ok: false, output: lines([...errors.map(formatError), amount(errors.length, "error")]) };
  }
  const { config } = result;
  const results = runPolicyTests(config);
  const failed = results.filter((each) => !each.pass);
  const output = [
    `${path}: ok: ${summary(config)}`,
    ...expiryWarnings(config, Date.now()),
    ...results.map((each) => testLine(path, each)),
    ...(results.length > 0 ? [`${results.length - failed.length} of ${amount(results.length, "test")} passed`] : []),
  ];
  return { ok: failed.length === 0, output: lines(output) };
}

/** Runs the tests of a policy file, in its order. Nothing is sent anywhere. */
export function runPolicyTests(config: Config): PolicyTestResult[] {
  return config.tests.map((test) => runPolicyTest(config, test));
}

function runPolicyTest(config: Config, test: PolicyTest): PolicyTestResult {
  const { expect } = test;
  const outcome = route(config, test);
  const missed: string[] = [];
  if (expect.error !== undefined && outcome.error !== expect.error) missed.push(`the error ${expect.error}`);
  if (expect.model !== undefined && outcome.model !== expect.model) missed.push(`the model ${expect.model}`);
  if (expect.reason !== undefined && !outcome.reasons.some((reason) => reason.includes(expect.reason as string))) {
    missed.push(`«${expect.reason}» in the reason`);
  }
  // An error that nobody expected is a failure, whatever else came out as expected.
  if (outcome.error !== undefined && expect.error === undefined && missed.length === 0) missed.push("no error");
  return { test, pass: missed.length === 0, got: outcome.got, missed };
}

interface Outcome {
  readonly model?: string;
  readonly error?: string;
  readonly reasons: readonly string[];
  readonly got: string;
}

function route(config: Config, test: PolicyTest): Outcome {
  const { body } = test;
  const parsed = requestSchemas.chat_completions.safeParse(body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return {
      error: "invalid_request",
      reasons: [],
      got: `invalid_request: ${issue?.path.join(".")}: ${issue?.message}`,
    };
  }
  const facts: RequestFacts = {
    endpoint: "chat_completions",
    team: test.team ?? openTeam.name,
    model: body.model,
    body,
    header: (name) => (Object.hasOwn(test.headers, name) ? test.headers[name] : undefined),
    bytes: Buffer.byteLength(JSON.stringify(body)),
  };
  try {
    const allowed = test.team === undefined ? undefined : config.teams?.get(test.team)?.models;
    const decision = decide(config.privacy.policyOf(test.team), facts, allowed);
    const { reason, reasons } = decision;
    return { model: decision.model.name, reasons: [reason, ...reasons], got: `${decision.model.name} (${reason})` };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { error: error.code, reasons: [error.message], got: `${error.code}: ${error.message}` };
  }
}

function testLine(path: string, { test, pass, got, missed }: PolicyTestResult): string {
  if (pass) return `  pass  ${test.name}: ${got}`;
  return `  FAIL  ${test.name}: expected ${missed.join(" and ")}, got ${got}\n        ${path}:${test.line}`;
}

/** A key is told of for so long before its end. */
const SOON_MS = 14 * 86_400_000;

/** Keys that are valid no more, or not for long. */
function expiryWarnings({ teams }: Config, now: number): string[] {
  return [...(teams?.values() ?? [])].flatMap(({ name, keys }) =>
    keys.flatMap(({ id, expiresAt }, index) => {
      if (expiresAt > now + SOON_MS) return [];
      const end = new Date(expiresAt).toISOString();
      const what = expiresAt <= now ? `has expired: ${end}; take it out, or make another` : `expires soon: ${end}`;
      return [`  warning: teams.${name}.keys[${index}]: the key «${id}» ${what}`];
    }),
  );
}

function summary(config: Config): string {
  const { models, rules } = config.policy;
  const parts = [amount(config.backends.size, "backend"), amount(models.size, "model"), amount(rules.length, "rule")];
  return [...parts, config.teams === undefined ? "open, no keys" : amount(config.teams.size, "team")].join(", ");
}

const amount = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
const lines = (parts: readonly string[]) => `${parts.join("\n")}\n`;
