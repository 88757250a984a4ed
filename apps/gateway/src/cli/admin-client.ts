import { readFile } from "node:fs/promises";
import type { AdviceReport } from "../advice/advisor.ts";
import type { ReportData } from "../report/report-data.ts";
import type { BackendAction } from "../routes/admin-backends.ts";
import type { KeyChange, KeyChanged, KeyList } from "../routes/admin-keys.ts";
import type { BackendStatus, Status } from "../routes/status.ts";
import { UsageError } from "./command.ts";

const TIMEOUT_MS = 5000;

/** Where `--admin` of every command points unless given. */
export const defaultAdmin = "http://127.0.0.1:9090";

/** The admin listener did not do what it was asked to: `message` is for the person at the terminal. */
export class AdminError extends Error {
  override readonly name = "AdminError";
  /** The error's code where a gateway answered; undefined = none did. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** Asks a running gateway's admin listener. Everything throws AdminError, with the gateway's reason where one answers. */
export interface AdminClient {
  status(): Promise<Status>;
  advice(): Promise<AdviceReport>;
  report(minutes: number): Promise<ReportData>;
  /** Sets a backend by hand, and gives it as it is then. */
  setBackend(name: string, action: BackendAction): Promise<BackendStatus>;
  /** Keys, of one team or of all. */
  keys(team?: string): Promise<KeyList>;
  changeKeys(change: KeyChange): Promise<KeyChanged>;
}

/**
 * The token for the admin listener: of `--token-file`, else of `SIGNALBOX_ADMIN_TOKEN`; undefined = none.
 * @throws UsageError when the file cannot be read.
 */
export async function readAdminToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return process.env.SIGNALBOX_ADMIN_TOKEN || undefined;
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--token-file ${file}: cannot be read (${error.code})`);
  });
  return text.trim();
}

/** `admin` = an address, with or without `http://`. */
export function createAdminClient(admin: string, token?: string): AdminClient {
  const base = admin.includes("://") ? admin : `http://${admin}`;
  const ask = async <T>(path: string, body?: unknown): Promise<T> => {
    try {
      return await answerOf<T>(new URL(path, base), token, body);
    } catch (error) {
      if (error instanceof AdminError) throw error;
      const { cause, message } = error as Error & { cause?: Error };
      throw new AdminError(`no gateway's admin listener answers at ${base}: ${cause?.message ?? message}`);
    }
  };
  return {
    async status() {
      const answer = await ask<Partial<Status> | null>("/status");
      if (!Array.isArray(answer?.backends))
        throw new AdminError(`no gateway's admin listener answers at ${base}: something else does`);
      // A gateway of an older version counts no tool calls.
      return { tool_calls: [], ...(answer as Omit<Status, "tool_calls">) };
    },
    advice: () => ask("/advice"),
    report: (minutes) => ask(`/report?minutes=${minutes}`),
    keys: (team) => ask(team === undefined ? "/keys" : `/keys?team=${encodeURIComponent(team)}`),
    changeKeys: (change) => ask("/keys", change),
    setBackend: (name, action) => ask(`/backends/${encodeURIComponent(name)}`, { action }),
  };
}

/** Without a body it is read, with one something is changed. */
async function answerOf<T>(url: URL, token: string | undefined, body: unknown): Promise<T> {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const change = { method: "POST", body: JSON.stringify(body) };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(url, { headers, signal, ...(body !== undefined && change) });
  const answer = (await response.json().catch(() => null)) as T & { error?: { message?: string; code?: string } };
  if (response.ok) return answer;
  const { message, code } = answer?.error ?? {};
  // What has no such page is no admin listener.
  const isAnother = message === undefined || (response.status === 404 && body === undefined);
  if (isAnother) throw new Error(`status ${response.status}`);
  throw new AdminError(message, code);
}
