import { countOf, fieldsOf, itemsOf, parseJson, textOf } from "./json-fields.ts";

/** What an error body says, whatever its shape. */
export interface ErrorBody {
  /** One line, never HTML, without the input that a validation error quotes; at most 2,000 characters. */
  readonly message: string;
  /** `code` and `type` as they came, in lower case. */
  readonly codes: readonly string[];
  /** An HTTP status that the body itself names, 400 to 599. */
  readonly status: number | undefined;
  /** The error object as the backend sent it; undefined when there is none. */
  readonly object: unknown;
}

const MESSAGE_LIMIT = 2000;

/**
 * Reads an error body: OpenAI's `{error: {...}}`, `{error: "..."}`, SGLang's flat `{object: "error", ...}`, FastAPI's
 * `{detail: ...}`, MiniMax's `{base_resp: {...}}`, plain text, HTML, or nothing. Never throws.
 */
export function readErrorBody(status: number, body: string): ErrorBody {
  const text = body.trim();
  const json = parseJson(text);
  const object = errorObject(json);
  if (object !== undefined) {
    const codes = [object.code, object.type, fieldsOf(object.innererror).code]
      .filter((code) => typeof code === "string" || typeof code === "number")
      .map((code) => String(code).toLowerCase());
    const said = textOf(object.message);
    return {
      message: said === undefined ? `${status} with a JSON body that has no message` : showable(said, status),
      codes,
      status: readStatus(object.code),
      object: object.own,
    };
  }
  return { message: plainMessage(text, json, status), codes: [], status: undefined, object: undefined };
}

/** Is this JSON payload an error rather than an answer, whatever its HTTP status? True also for MiniMax's `base_resp`. */
export function isErrorPayload(json: unknown): boolean {
  const body = fieldsOf(json);
  if (body.object === "error" || textOf(body.error) !== undefined) return true;
  if (typeof body.error === "object" && body.error !== null) return true;
  return failedBaseResp(body) !== undefined;
}

interface ErrorObject {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly type?: unknown;
  readonly innererror?: unknown;
  readonly own: unknown;
}

function errorObject(json: unknown): ErrorObject | undefined {
  const body = fieldsOf(json);
  if (typeof body.error === "object" && body.error !== null) return { ...fieldsOf(body.error), own: body.error };
  if (textOf(body.error) !== undefined) {
    return { message: textOf(body.message) ?? body.error, code: body.code, type: body.type, own: undefined };
  }
  if (body.object === "error") return { ...body, own: body };
  const failed = failedBaseResp(body);
  if (failed !== undefined) return { message: failed.status_msg, code: failed.status_code, own: undefined };
  if (body.detail !== undefined) return { message: detailMessage(body.detail), own: undefined };
  if (textOf(body.message) !== undefined) return { message: body.message, code: body.code, type: body.type, own: body };
  return undefined;
}

function failedBaseResp(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const base = fieldsOf(body.base_resp);
  return typeof base.status_code === "number" && base.status_code !== 0 ? base : undefined;
}

/** FastAPI's `detail` is a text, or a list of fields with what is wrong with each (and the input, which is left out). */
function detailMessage(detail: unknown): string | undefined {
  const first = fieldsOf(itemsOf(detail)[0]);
  if (textOf(first.msg) === undefined) return textOf(detail);
  const where = itemsOf(first.loc).filter((part) => typeof part === "string" || typeof part === "number");
  return where.length === 0 ? String(first.msg) : `${where.join(".")}: ${String(first.msg)}`;
}

function readStatus(code: unknown): number | undefined {
  const number = typeof code === "string" && /^\d{3}$/.test(code) ? Number(code) : countOf(code);
  return number !== undefined && Number.isInteger(number) && number >= 400 && number <= 599 ? number : undefined;
}

function plainMessage(text: string, json: unknown, status: number): string {
  if (text === "") return `${status} without a body`;
  if (json !== undefined && typeof json === "object") return `${status} with a JSON body that has no message`;
  if (text.startsWith("{") || text.startsWith("[")) return `${status} with a broken JSON body`;
  return showable(text, status);
}

function showable(message: string, status: number): string {
  const head = message.slice(0, 4 * MESSAGE_LIMIT);
  if (looksLikeHtml(head)) return `${status} with an HTML body`;
  const quoted = head.indexOf(", 'input': ");
  const own = quoted === -1 ? head : head.slice(0, quoted);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a log
  const line = own.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
  return line.slice(0, MESSAGE_LIMIT).toWellFormed();
}

/** True for a page: something that begins with a tag, or has the marks of a page inside. */
export function looksLikeHtml(text: string): boolean {
  const head = text.slice(0, 8192).trimStart().toLowerCase();
  return /^<(?:!doctype|\?xml|[a-z!])/.test(head) || /<(?:html|head|body)[\s>]/.test(head);
}
