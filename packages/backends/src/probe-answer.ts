import { looksLikeHtml } from "./error-body.ts";
import { defined, parseJson } from "./json-fields.ts";
import type { Get, GetResponse, ListedModel, Load, Probe } from "./kind.ts";

/** What one GET of a probe gave: an answer, or the reason why there is none. */
export interface ProbeAnswer {
  readonly path: string;
  /** Undefined = no answer. */
  readonly status: number | undefined;
  readonly headers: GetResponse["headers"];
  readonly text: string;
  /** The body parsed, or undefined when it is not JSON. */
  readonly json: unknown;
  /** Why there is no answer. */
  readonly fault: string | undefined;
}

/** GETs a path; a connection that fails becomes an answer without a status. Never rejects. */
export async function ask(get: Get, path: string): Promise<ProbeAnswer> {
  try {
    const { status, headers, text } = await get(path);
    return { path, status, headers, text, json: parseJson(text), fault: undefined };
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return { path, status: undefined, headers: {}, text: "", json: undefined, fault };
  }
}

/** A 2xx that is not a web page. */
export function isFine(answer: ProbeAnswer): boolean {
  const { status, text } = answer;
  return status !== undefined && status >= 200 && status < 300 && !looksLikeHtml(text);
}

/** The backend is there but does not take our key. */
export function refusesKey(answer: ProbeAnswer): boolean {
  return answer.status === 401 || answer.status === 403;
}

/** `down`, with the reason that this answer gives. */
export function downBy(answer: ProbeAnswer): Probe {
  const { path, status, fault, text } = answer;
  if (status === undefined) return down(fault ?? `no answer on ${path}`);
  if (refusesKey(answer)) return down(`${status} on ${path}: the key for this backend is wrong or missing`);
  return down(`${status}${looksLikeHtml(text) ? " with an HTML body" : ""} on ${path}`);
}

export function down(reason: string): Probe {
  return { status: "down", reason: reason.slice(0, 500) };
}

export function loading(reason: string): Probe {
  return { status: "loading", reason };
}

/** `ready`, with what could be found out. */
export function ready(found: {
  load?: Load | undefined;
  models?: readonly ListedModel[] | undefined;
  version?: string | undefined;
}): Probe {
  const { load, models, version } = found;
  return {
    status: "ready",
    ...defined<{ load: Load; models: readonly ListedModel[]; version: string }>({ load, models, version }),
  };
}

/** A load from what is known of it; undefined when nothing is. `kvUse` is kept within 0 to 1. */
export function loadOf(known: { [K in keyof Load]: Load[K] | undefined }): Load | undefined {
  const kvUse = known.kvUse === undefined ? undefined : Math.min(1, Math.max(0, known.kvUse));
  const load = defined<Load>({ ...known, kvUse });
  return Object.keys(load).length === 0 ? undefined : load;
}
