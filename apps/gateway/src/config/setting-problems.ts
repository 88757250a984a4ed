import { kinds } from "@signalbox/backends";
import { defaultThresholds } from "@signalbox/router";
import { defaultProblems } from "./default-problems.ts";
import { adminProblems, keyProblems } from "./key-problems.ts";
import { isForEmbeddingsAlone, limitProblems } from "./limit-problems.ts";
import { entriesOf, itemsOf, memberOf } from "./loose.ts";
import type { Problem } from "./problems.ts";
import { tlsProblems } from "./tls-problems.ts";
import { isLoopback, parseAddress } from "./units.ts";
import { usageProblems } from "./usage-problems.ts";

const openDefault = "127.0.0.1:8080";

/** What is wrong between settings that are each well-formed: listeners, keys and tokens, thresholds, tests. */
export function settingProblems(value: unknown, raw: unknown): Problem[] {
  return [
    ...listenProblems(value),
    ...keyProblems(value),
    ...adminProblems(value),
    ...tracesProblems(value),
    ...thresholdProblems(value),
    ...dialectProblems(value),
    ...reasoningProblems(value),
    ...hedgeProblems(value),
    ...continuationProblems(value),
    ...defaultProblems(value),
    ...limitProblems(value),
    ...usageProblems(value),
    ...testProblems(value),
    ...strayProblems(raw),
  ];
}

function listenProblems(value: unknown): Problem[] {
  const server = memberOf(value, "server");
  const listen = memberOf(server, "listen") ?? openDefault;
  const admin = memberOf(server, "admin");
  const address = typeof listen === "string" ? parseAddress(listen) : undefined;
  const problems: Problem[] = [];
  if (memberOf(value, "teams") === undefined && address && !isLoopback(address.host)) {
    const message = `an open gateway (no \`teams\`) listens on this machine alone, and ${listen} can be reached by others: add \`teams\`, or listen on 127.0.0.1:${address.port}`;
    problems.push({ path: ["server", "listen"], message });
  }
  if (typeof admin === "string" && admin === listen && address?.port !== 0) {
    problems.push({ path: ["server", "admin"], message: `${admin} is taken by \`listen\`: give another port` });
  }
  if (memberOf(value, "teams") !== undefined && entriesOf(memberOf(value, "teams")).length === 0) {
    problems.push({
      path: ["teams"],
      message: "holds no team: nobody could come in; add one, or leave `teams` out",
      atKey: true,
    });
  }
  for (const name of ["backends", "models"] as const) {
    const section = memberOf(value, name);
    if (typeof section === "object" && section !== null && !Array.isArray(section) && entriesOf(section).length === 0) {
      problems.push({ path: [name], message: `holds nothing: define at least one ${name.slice(0, -1)}`, atKey: true });
    }
  }
  return problems;
}

function tracesProblems(value: unknown): Problem[] {
  const traces = memberOf(memberOf(value, "server"), "traces");
  return tlsProblems(traces, ["server", "traces"], memberOf(traces, "endpoint"), "http");
}

function thresholdProblems(value: unknown): Problem[] {
  const complexity = memberOf(memberOf(value, "defaults"), "complexity");
  const moderate = memberOf(complexity, "moderate") ?? defaultThresholds.moderate;
  const complex = memberOf(complexity, "complex") ?? defaultThresholds.complex;
  if (typeof moderate !== "number" || typeof complex !== "number" || moderate <= complex) return [];
  return [
    {
      path: ["defaults", "complexity"],
      message: `moderate (${moderate}) lies above complex (${complex}); did you mean to swap them?`,
    },
  ];
}

/** A model for embeddings writes nothing that a dialect could read. */
function dialectProblems(value: unknown): Problem[] {
  return entriesOf(memberOf(value, "models")).flatMap(([name, model]) => {
    if (!isForEmbeddingsAlone(model)) return [];
    return itemsOf(memberOf(model, "on")).flatMap((entry, index): Problem[] => {
      if (memberOf(entry, "dialect") === undefined) return [];
      const message = `«${name}» is declared for embeddings alone, which have no dialect: leave it out, or say what else the model can do (\`tools\`)`;
      return [{ path: ["models", name, "on", index, "dialect"], message, atKey: true }];
    });
  });
}

/** What no engine reads need not be remembered. */
function reasoningProblems(value: unknown): Problem[] {
  const backends = memberOf(value, "backends");
  const reads = (entry: unknown): boolean => {
    const backend = memberOf(backends, String(memberOf(entry, "backend")));
    const kind = entriesOf(kinds).find(([name]) => name === memberOf(backend, "kind"))?.[1];
    const own = memberOf(entry, "reasoning_history") ?? memberOf(backend, "reasoning_history");
    return (own ?? memberOf(kind, "reasoningHistory")) !== "drop";
  };
  return entriesOf(memberOf(value, "models")).flatMap(([name, model]): Problem[] => {
    const entries = itemsOf(memberOf(model, "on"));
    if (memberOf(model, "remember_reasoning") === undefined || entries.length === 0 || entries.some(reads)) return [];
    const message = `no backend of «${name}» reads the reasoning of earlier turns (\`reasoning_history: drop\`): leave it out, or say where it is read, such as \`reasoning_history: inline\``;
    return [{ path: ["models", name, "remember_reasoning"], message, atKey: true }];
  });
}

/** A hedge needs a second backend, and a second attempt. */
function hedgeProblems(value: unknown): Problem[] {
  const attempts = memberOf(memberOf(value, "defaults"), "attempts");
  return entriesOf(memberOf(value, "models")).flatMap(([name, model]): Problem[] => {
    if (memberOf(model, "hedge") === undefined) return [];
    const path = ["models", name, "hedge"];
    if (Number(attempts) === 1) {
      return [
        { path, message: "with `defaults.attempts: 1` no second backend is ever asked: leave it out", atKey: true },
      ];
    }
    const backends = new Set(itemsOf(memberOf(model, "on")).map((entry) => memberOf(entry, "backend")));
    if (backends.size !== 1 || itemsOf(memberOf(model, "fallback")).length > 0) return [];
    const message = `«${name}» runs on ${String([...backends][0])} alone and has no \`fallback\`: there is nobody to ask beside it; leave it out, or add a backend`;
    return [{ path, message, atKey: true }];
  });
}

/** Only some engines can go on with a message that was begun. */
function continuationProblems(value: unknown): Problem[] {
  const able = entriesOf(kinds).filter(([, kind]) => memberOf(kind, "continuation") !== undefined);
  const known = new Set(entriesOf(kinds).map(([name]) => name));
  const backends = memberOf(value, "backends");
  const check = (entry: unknown, backend: unknown, path: Problem["path"]): Problem[] => {
    const kind = memberOf(backend, "kind");
    if (memberOf(entry, "continue_final_message") !== true || typeof kind !== "string" || !known.has(kind)) return [];
    if (able.some(([name]) => name === kind)) return [];
    const message = `«${kind}» cannot go on with a reply that was begun (only ${able.map(([name]) => name).join(", ")} can): leave it out`;
    return [{ path: [...path, "continue_final_message"], message }];
  };
  return [
    ...entriesOf(backends).flatMap(([name, backend]) => check(backend, backend, ["backends", name])),
    ...entriesOf(memberOf(value, "models")).flatMap(([name, model]) =>
      itemsOf(memberOf(model, "on")).flatMap((entry, index) =>
        check(entry, memberOf(backends, String(memberOf(entry, "backend"))), ["models", name, "on", index]),
      ),
    ),
  ];
}

function testProblems(value: unknown): Problem[] {
  return itemsOf(memberOf(value, "tests")).flatMap((test, index): Problem[] => {
    const request = memberOf(test, "request");
    const given = ["prompt", "messages"].filter((key) => memberOf(request, key) !== undefined);
    const problems: Problem[] = [];
    if (request !== undefined && given.length !== 1) {
      const message =
        given.length === 0
          ? "has neither `prompt` nor `messages`"
          : "has both `prompt` and `messages`: give one of them";
      problems.push({ path: ["tests", index, "request"], message });
    }
    const expect = memberOf(test, "expect");
    if (expect !== undefined && entriesOf(expect).length === 0) {
      problems.push({
        path: ["tests", index, "expect"],
        message: "expects nothing: give `model`, `reason` or `error`",
      });
    }
    return problems;
  });
}

const looksLikeSecret =
  /\b(sk-[A-Za-z0-9_-]{16,}|sb-[A-Za-z0-9_-]{43}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16})\b/;

/** Keys of well-known forms, wherever in the file they stand. Fields that know secrets say so themselves. */
function strayProblems(raw: unknown): Problem[] {
  const problems: Problem[] = [];
  const visit = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value === "string") {
      const own =
        path.includes("api_key") || path.includes("keys") || path.includes("admin_tokens") || path.includes("headers");
      if (!own && looksLikeSecret.test(value))
        problems.push({
          path,
          message: `a secret seems to stand in the file: write \${NAME} and set NAME in the environment`,
        });
    } else if (Array.isArray(value)) {
      value.forEach((item, index) => {
        visit(item, [...path, index]);
      });
    } else for (const [key, member] of entriesOf(value)) visit(member, [...path, key]);
  };
  visit(raw, []);
  return problems;
}
