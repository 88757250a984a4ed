import { createHash } from "node:crypto";
import { readFile as readFileFromDisk, stat } from "node:fs/promises";
import path from "node:path";
import { findDeadRules } from "@signalbox/router";
import { openTeam } from "../teams/keys.ts";
import { backendProblems } from "./backend-problems.ts";
import { compileConfig } from "./compile.ts";
import { alertProblems } from "./compile-alerts.ts";
import { headersFileProblem } from "./compile-traces.ts";
import type { Config } from "./config.ts";
import { dataProblems } from "./data-problems.ts";
import type { FileTexts } from "./file-texts.ts";
import { guardProblems } from "./guard-problems.ts";
import { entriesOf, itemsOf, memberOf } from "./loose.ts";
import { type ConfigError, formatPath, type Path, type Problem } from "./problems.ts";
import { referenceProblems } from "./references.ts";
import { ConfigFile } from "./schema.ts";
import { schemaProblems } from "./schema-problems.ts";
import { settingProblems } from "./setting-problems.ts";
import { storeProblems } from "./store-problems.ts";
import { type Position, readYaml, type YamlSource } from "./yaml-source.ts";

/** Largest config file, in bytes. */
export const maxConfigBytes = 1024 * 1024;

export interface LoadOptions {
  /** For `${NAME}`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For errors, and the folder that `*_file` paths start from. */
  readonly fileName: string;
  /** Reads a file that the config names, as text; the path is absolute or starts from the working directory. */
  readonly readFile?: (path: string) => Promise<string>;
}

export type LoadResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly errors: readonly ConfigError[] };

/** Reads and checks a config file. Never rejects: a file that cannot be read is an error like any other. */
export async function loadConfigFile(fileName: string, env: LoadOptions["env"]): Promise<LoadResult> {
  const options = { env, fileName };
  try {
    const { size } = await stat(fileName);
    if (size > maxConfigBytes) return failed([tooLarge(size)], options);
    return await loadConfig(await readFileFromDisk(fileName, "utf8"), options);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const message = code === "ENOENT" ? "there is no such file" : `cannot be read (${code ?? String(error)})`;
    return failed([{ path: [], message }], options);
  }
}

const tooLarge = (bytes: number) => ({
  path: [],
  message: `${bytes} bytes; a config file has at most ${maxConfigBytes}`,
});

type Found = Problem & { readonly at?: Position };

/**
 * Checks a config file's text and resolves it. Gives every error of the file, sorted by place, each with line, column, path
 * and the likely word; a config comes out only when there is none. Never rejects.
 */
export async function loadConfig(text: string, options: LoadOptions): Promise<LoadResult> {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxConfigBytes) return failed([tooLarge(bytes)], options);
  if (text.includes("\0")) return failed([{ path: [], message: "holds a NUL byte: not a text file" }], options);
  const source = readYaml(text, options.env);
  if (!source.readable || source.problems.some((problem) => problem.path.length === 0 && problem.at === undefined)) {
    return failed(source.problems, options, source);
  }
  if (source.value === null)
    return failed([{ path: [], message: "is empty: it needs `version`, `backends` and `models`" }], options);
  const parsed = ConfigFile.safeParse(source.value);
  const named = await readNamedFiles(source.value, options);
  const problems: Found[] = [
    ...source.problems,
    ...(parsed.success ? [] : schemaProblems(parsed.error, source.value)),
    ...referenceProblems(source.value),
    ...backendProblems(source.value, source.raw),
    ...settingProblems(source.value, source.raw),
    ...guardProblems(source.value),
    ...storeProblems(source.value, source.raw),
    ...named.problems,
  ];
  if (!parsed.success || problems.length > 0) return failed(problems, options, source);
  const hash = createHash("sha256").update(text);
  for (const [name, content] of named.files) hash.update(`\0${name}\0${content}`);
  const config = compileConfig(parsed.data, named, hash.digest("hex"), (index) => source.locate(["tests", index]).line);
  const vain = [...deadRules(config), ...dataProblems(config), ...alertProblems(config)];
  return vain.length > 0 ? failed(vain, options, source) : { ok: true, config };
}

function deadRules(config: Config): Problem[] {
  const teams = config.teams?.keys() ?? [openTeam.name];
  return findDeadRules(config.policy.rules, { teams }).map(({ rule, index, why }) => {
    const name = rule.label === `routing.${index}` ? "this rule" : `the rule «${rule.label}»`;
    return { path: ["routing", index], message: `${name} can never match: ${why}` };
  });
}

function failed(problems: readonly Found[], options: LoadOptions, source?: YamlSource): LoadResult {
  const errors = problems.map((problem): ConfigError => {
    const place = problem.at ?? source?.locate(problem.path, problem.atKey) ?? { line: 1, column: 1 };
    return {
      file: options.fileName,
      ...place,
      path: formatPath(problem.path),
      message: printable(problem.message, source),
    };
  });
  errors.sort((a, b) => a.line - b.line || a.column - b.column);
  const seen = new Set<string>();
  // One place can be found wrong twice, by its form and by its meaning; the first says it.
  const first = errors.filter((error) => {
    const key = `${error.line}:${error.column}:${error.path}:${error.message}`;
    return !seen.has(key) && seen.add(key);
  });
  return { ok: false, errors: first };
}

/** One line without what a variable held, which may be a secret, and without what could steer a terminal. */
function printable(message: string, source: YamlSource | undefined): string {
  let text = message;
  for (const [value, written] of source?.expanded ?? []) {
    if (value.length >= 4) text = text.replaceAll(value, () => written);
  }
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}

interface NamedFiles extends FileTexts {
  readonly files: Map<string, string>;
  readonly paths: string[];
  readonly problems: Problem[];
}

async function readNamedFiles(value: unknown, options: LoadOptions): Promise<NamedFiles> {
  const files = new Map<string, string>();
  const paths: string[] = [];
  const problems: Problem[] = [];
  const folder = path.dirname(options.fileName);
  const read = options.readFile ?? ((name: string) => readFileFromDisk(name, "utf8"));
  for (const { path: where, file, problemOf } of wantedFiles(value)) {
    if (typeof file !== "string" || file === "") continue;
    const absolute = path.resolve(folder, file);
    paths.push(absolute);
    try {
      const content = await read(absolute);
      const message = problemOf(content);
      if (message !== undefined) problems.push({ path: where, message: `${shownFile(file)} ${message}` });
      files.set(file, content);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const why = code === "ENOENT" ? "does not exist" : `cannot be read (${code ?? "unknown reason"})`;
      problems.push({ path: where, message: `${shownFile(file)} ${why}` });
    }
  }
  return { files, paths, folder, problems };
}

/** A name without a folder or an ending may be the secret itself, put where its file belongs. */
function shownFile(file: string): string {
  return /[./\\]/.test(file) ? `«${file}»` : "the file that it names";
}

interface WantedFile {
  readonly path: Path;
  /** As written; anything, in a file that is wrong. */
  readonly file: unknown;
  /** What is wrong with its text; undefined = nothing. */
  problemOf(content: string): string | undefined;
}

function wantedFiles(value: unknown): WantedFile[] {
  const server = memberOf(value, "server");
  const token = memberOf(server, "admin_token_file");
  const wanted: WantedFile[] = [{ path: ["server", "admin_token_file"], file: token, problemOf: tokenProblem }];
  itemsOf(memberOf(server, "admin_tokens")).forEach((entry, index) => {
    const file = memberOf(entry, "token_file");
    wanted.push({ path: ["server", "admin_tokens", index, "token_file"], file, problemOf: tokenProblem });
  });
  const wantTls = (path: Path, holder: unknown): void => {
    const tls = memberOf(holder, "tls");
    for (const key of ["ca_file", "cert_file", "key_file"]) {
      wanted.push({ path: [...path, "tls", key], file: memberOf(tls, key), problemOf: pemProblem });
    }
  };
  const store = memberOf(value, "store");
  for (const key of ["password_file", "sentinel_password_file"]) {
    wanted.push({ path: ["store", key], file: memberOf(store, key), problemOf: keyProblem });
  }
  wantTls(["store"], store);
  const traces = memberOf(server, "traces");
  const headers = memberOf(traces, "headers_file");
  wanted.push({ path: ["server", "traces", "headers_file"], file: headers, problemOf: headersFileProblem });
  wantTls(["server", "traces"], traces);
  for (const [name, backend] of entriesOf(memberOf(value, "backends"))) {
    const file = memberOf(backend, "api_key_file");
    wanted.push({ path: ["backends", name, "api_key_file"], file, problemOf: keyProblem });
    wantTls(["backends", name], backend);
  }
  return wanted;
}

const pemProblem = (content: string) =>
  content.includes("-----BEGIN ") ? undefined : "holds no PEM text (-----BEGIN ...)";

/** Wrong tokens are throttled, and yet one must be too long to be guessed. */
const MIN_TOKEN_LENGTH = 16;

function tokenProblem(content: string): string | undefined {
  const { length } = content.trim();
  const short = `holds a token of ${length} characters: at least ${MIN_TOKEN_LENGTH} are wanted`;
  return keyProblem(content) ?? (length < MIN_TOKEN_LENGTH ? short : undefined);
}

function keyProblem(content: string): string | undefined {
  const key = content.trim();
  if (key === "") return "is empty";
  return /[^\x21-\x7e]/.test(key)
    ? "holds more than one key: one line of visible ASCII characters is wanted"
    : undefined;
}
