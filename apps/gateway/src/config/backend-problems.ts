import { type BackendKind, kinds } from "@signalbox/backends";
import { isVariable } from "./expand.ts";
import { entriesOf, memberOf } from "./loose.ts";
import type { Path, Problem } from "./problems.ts";
import { tlsProblems } from "./tls-problems.ts";

const kindsByName: Readonly<Record<string, BackendKind>> = kinds;

/** What is wrong with the backends beyond the form of their values: addresses, TLS, headers, and secrets written into the file. */
export function backendProblems(value: unknown, raw: unknown): Problem[] {
  const problems: Problem[] = [];
  for (const [name, backend] of entriesOf(memberOf(value, "backends"))) {
    const path = ["backends", name];
    const written = memberOf(memberOf(raw, "backends"), name);
    checkUrl(backend, path, problems);
    checkKey(backend, written, path, problems);
    checkHeaders(backend, written, path, problems);
    problems.push(...tlsProblems(backend, path, memberOf(backend, "url"), "http"));
    checkToolParser(backend, path, problems);
  }
  return problems;
}

function checkUrl(backend: unknown, path: Path, problems: Problem[]): void {
  const url = memberOf(backend, "url");
  const kind = memberOf(backend, "kind");
  const traits = typeof kind === "string" && Object.hasOwn(kinds, kind) ? kindsByName[kind] : undefined;
  if (memberOf(backend, "discover_command") !== undefined && url !== "auto") {
    problems.push({ path: [...path, "discover_command"], message: "is only read with `url: auto`" });
  }
  if (typeof url !== "string" || url === "") return;
  const where = [...path, "url"];
  if (url === "auto") {
    if (traits === undefined || traits.discover !== undefined) return;
    const able = Object.entries(kindsByName).filter(([, each]) => each.discover !== undefined);
    const message = `the kind ${String(kind)} cannot find its own address (only ${able.map(([each]) => each).join(", ")} can): give http://host:port`;
    return void problems.push({ path: where, message });
  }
  const message = urlProblem(url);
  if (message !== undefined) problems.push({ path: where, message });
}

function urlProblem(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text)) {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
    if (scheme) return `expected an http:// or https:// address, not ${scheme[1]}://`;
    const near = URL.canParse(`http://${text}`) ? `; did you mean «http://${text}»?` : "";
    return `expected an http:// or https:// address, not «${text}»${near}`;
  }
  if (!URL.canParse(text)) return `«${text}» is not an address`;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "")
    return `holds a user or a password: give the key as \`api_key: \${NAME}\``;
  if (url.search !== "" || url.hash !== "") return "holds a query or a fragment (? or #): give the address alone";
  const endpoint = /\/(chat\/completions|completions|embeddings|models)\/?$/.exec(url.pathname);
  if (endpoint)
    return `ends in an endpoint: give the address alone; did you mean «${text.slice(0, text.lastIndexOf(endpoint[0]))}»?`;
  return undefined;
}

function checkKey(backend: unknown, written: unknown, path: Path, problems: Problem[]): void {
  const key = memberOf(written, "api_key");
  const where = [...path, "api_key"];
  if (key !== undefined && memberOf(backend, "api_key_file") !== undefined) {
    problems.push({ path: where, message: "stands beside `api_key_file`: give one of them" });
  }
  if (typeof key === "string" && key !== "" && !isVariable(key)) {
    problems.push({
      path: where,
      message: `a secret stands in the file: write \`api_key: \${NAME}\` and set NAME in the environment, or use \`api_key_file\``,
    });
  }
  const sent = memberOf(backend, "api_key");
  if (typeof sent === "string" && /[^\x21-\x7e]/.test(sent)) {
    problems.push({
      path: where,
      message: "a key has visible ASCII characters only; this one holds others (a line break at its end?)",
    });
  }
}

function checkToolParser(backend: unknown, path: Path, problems: Problem[]): void {
  const kind = memberOf(backend, "kind");
  if (memberOf(backend, "tool_parser") !== "raw" || typeof kind !== "string" || !Object.hasOwn(kinds, kind)) return;
  if (kindsByName[kind]?.editRawRequest !== undefined) return;
  const able = Object.entries(kindsByName).filter(([, each]) => each.editRawRequest !== undefined);
  const message = `${kindsByName[kind]?.title} has no raw mode (only ${able.map(([each]) => each).join(", ")} have): leave it out`;
  problems.push({ path: [...path, "tool_parser"], message });
}

const reservedHeaders = new Set([
  "host",
  "content-length",
  "content-type",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
  "accept-encoding",
  "expect",
  "proxy-authorization",
  "proxy-connection",
]);
const secretHeader = /authorization|api-?key|token|secret|cookie|password/i;

function checkHeaders(backend: unknown, written: unknown, path: Path, problems: Problem[]): void {
  const hasKey = memberOf(backend, "api_key") !== undefined || memberOf(backend, "api_key_file") !== undefined;
  for (const [name, value] of entriesOf(memberOf(backend, "headers"))) {
    const where = [...path, "headers", name];
    const lower = name.toLowerCase();
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(lower))
      problems.push({ path: where, message: `«${name}» is not a header's name`, atKey: true });
    else if (reservedHeaders.has(lower))
      problems.push({ path: where, message: `the header ${lower} is set by Signalbox itself`, atKey: true });
    else if (lower === "authorization" && hasKey)
      problems.push({ path: where, message: "stands beside `api_key`: give one of them", atKey: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a header's value must not hold them.
    if (typeof value === "string" && /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/.test(value)) {
      problems.push({ path: where, message: "holds a character that a header cannot carry (a line break?)" });
    }
    const literal = memberOf(memberOf(written, "headers"), name);
    if (typeof literal === "string" && secretHeader.test(lower) && !/\$\{[A-Za-z_]\w*\}/.test(literal)) {
      problems.push({
        path: where,
        message: `a secret stands in the file: write \`${name}: \${NAME}\` and set NAME in the environment`,
      });
    }
  }
}
