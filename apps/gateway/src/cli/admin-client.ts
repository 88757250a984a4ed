import type { BackendAction } from "../routes/admin-app.ts";
import type { BackendStatus, Status } from "../routes/status.ts";

const TIMEOUT_MS = 5000;

/** Where `--admin` of every command points unless given. */
export const defaultAdmin = "http://127.0.0.1:9090";

/** The admin listener did not do what it was asked to: `message` is for the person at the terminal. */
export class AdminError extends Error {
  override readonly name = "AdminError";
}

/** Asks a running gateway's admin listener. */
export interface AdminClient {
  /** @throws AdminError when no gateway answers there. */
  status(): Promise<Status>;
  /** Sets a backend by hand, and gives it as it is then. @throws AdminError with the gateway's reason. */
  setBackend(name: string, action: BackendAction): Promise<BackendStatus>;
}

/** `admin` = an address, with or without `http://`; `token` goes with changes alone. */
export function createAdminClient(admin: string, token?: string): AdminClient {
  const base = admin.includes("://") ? admin : `http://${admin}`;
  const ask = async <T>(asked: Promise<T>): Promise<T> => {
    try {
      return await asked;
    } catch (error) {
      if (error instanceof AdminError) throw error;
      const { cause, message } = error as Error & { cause?: Error };
      throw new AdminError(`no gateway's admin listener answers at ${base}: ${cause?.message ?? message}`);
    }
  };
  return {
    status: () => ask(readStatus(base)),
    setBackend: (name, action) => ask(postAction(base, name, action, token)),
  };
}

async function readStatus(base: string): Promise<Status> {
  const response = await fetch(new URL("/status", base), { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const answer: unknown = await response.json().catch(() => undefined);
  if (!Array.isArray((answer as Partial<Status> | null | undefined)?.backends))
    throw new Error("something else answers there");
  // A gateway of an older version counts no tool calls.
  return { tool_calls: [], ...(answer as Omit<Status, "tool_calls">) };
}

async function postAction(
  base: string,
  name: string,
  action: BackendAction,
  token: string | undefined,
): Promise<BackendStatus> {
  const response = await fetch(new URL(`/backends/${encodeURIComponent(name)}`, base), {
    method: "POST",
    headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ action }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answer = (await response.json().catch(() => ({}))) as BackendStatus & { error?: { message?: string } };
  if (!response.ok) throw new AdminError(answer.error?.message ?? `status ${response.status}`);
  return answer;
}
