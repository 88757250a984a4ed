import { compileTls } from "./compile-tls.ts";
import type { TracesConfig } from "./config.ts";
import type { FileTexts } from "./file-texts.ts";
import type { ConfigFile } from "./schema.ts";

/** Where the traces of a file that was found right go; undefined = nowhere. */
export function compileTraces(entry: ConfigFile["server"]["traces"], named: FileTexts): TracesConfig | undefined {
  if (entry === undefined) return undefined;
  const headers = parseHeaderLines(entry.headers_file === undefined ? "" : (named.files.get(entry.headers_file) ?? ""));
  const tls = compileTls(entry.tls, named.files);
  return Object.freeze({
    endpoint: spansUrl(entry.endpoint),
    sample: entry.sample,
    slowMs: entry.slow ?? Number.POSITIVE_INFINITY,
    followsClients: entry.follow_clients,
    content: entry.content,
    headers: () => headers,
    tls: () => tls,
    serviceName: entry.service_name,
    attributes: entry.attributes ?? {},
    timeoutMs: entry.timeout,
    queue: entry.queue,
  });
}

/** OTLP's own rule: a base address is completed with the signal's path. */
function spansUrl(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return url.href;
}

/** `name: value` on a line each; empty lines and those that begin with `#` are passed over. */
function parseHeaderLines(text: string): Readonly<Record<string, string>> {
  const pairs = text.split("\n").filter(isHeader).map(pairOf);
  return Object.fromEntries(pairs);
}

const isHeader = (line: string): boolean => line.trim() !== "" && !line.startsWith("#");

function pairOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}

const HEADER_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e]*\r?$/;

/** What is wrong with the text of a file of headers; undefined = nothing. Never what it holds. */
export function headersFileProblem(text: string): string | undefined {
  const lines = text.split("\n");
  if (!lines.some(isHeader)) return "holds no header";
  const wrong = lines.findIndex((line) => isHeader(line) && !HEADER_LINE.test(line));
  return wrong < 0 ? undefined : `holds no \`name: value\` in line ${wrong + 1}`;
}
