/** The key that the corpora's requests carry, and the model that they name. */
export const corpusKey = "sb-corpus-0f3d1b7a9c5e2468";
export const corpusModel = "m";

const body = JSON.stringify({ model: corpusModel, messages: [{ role: "user", content: "hi" }] });

/** Header lines of a good chat request, to be left out, doubled or bent. */
export const parts = {
  line: "POST /v1/chat/completions HTTP/1.1",
  host: "Host: x",
  key: `Authorization: Bearer ${corpusKey}`,
  type: "Content-Type: application/json",
  length: `Content-Length: ${body.length}`,
  chunked: "Transfer-Encoding: chunked",
  body,
  /** The body as one chunk and the last one. */
  chunks: `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
} as const;

/** A head of these lines. */
export const head = (...lines: string[]): string => `${lines.join("\r\n")}\r\n\r\n`;

/** A good request with more header lines. */
export const withLines = (...lines: string[]): string =>
  head(parts.line, parts.host, parts.key, parts.type, parts.length, ...lines) + body;

/** The head of a good request that has yet to say how long it is. */
export const withFraming = (...lines: string[]): string =>
  head(parts.line, parts.host, parts.key, parts.type, ...lines);

/** A good request for another target, with another method and version where given. */
export const withTarget = (target: string, method = "POST", version = "HTTP/1.1"): string =>
  withLines().replace(parts.line, `${method} ${target} ${version}`);

/** A whole good request, as it would be smuggled behind another. */
export const smuggled = withLines("X-Smuggled: 1");
