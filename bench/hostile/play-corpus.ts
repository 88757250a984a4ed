import { malformedRequests } from "./malformed-requests.ts";
import { lawfulRequests, unfinishedRequests } from "./odd-requests.ts";
import { smuggled } from "./request-parts.ts";
import { type RawAnswer, sendRaw } from "./send-raw.ts";

/** Of silence behind an answer: then nothing more will come. */
const QUIET_MS = 30;

/** Where the corpora are sent. */
export interface Target {
  readonly port: number;
  /** Bytes that its backend has been sent. */
  upstreamBytes(): number;
  /** Inference requests that its backend has got. */
  upstreamRequests(): number;
}

/**
 * Sends what must reach nobody, alone and with a good request behind it that must not be taken for one; resolves with what was
 * otherwise than it must be.
 */
export async function playRefused({ port, upstreamBytes }: Target): Promise<string[]> {
  const faults: string[] = [];
  for (const { what, bytes, status } of malformedRequests) {
    const before = upstreamBytes();
    const alone = await sendRaw(port, bytes, { quietMs: QUIET_MS });
    const allowed = status === undefined ? [400, 413, 431] : [status];
    if (alone.statuses.length !== 1 || !allowed.includes(alone.statuses[0]!)) faults.push(told(what, alone));
    else if (!alone.text.includes('"code":"')) faults.push(`${what}: no error that a client can read`);
    else if (alone.closed) {
      if (!/\r\nconnection: close\r\n/i.test(alone.text)) faults.push(`${what}: closed without saying so`);
      const behind = await sendRaw(port, Buffer.concat([bytes, Buffer.from(smuggled)]), { quietMs: QUIET_MS });
      if (behind.statuses.length !== 1) faults.push(told(`${what}, and a good request behind it`, behind));
    }
    if (upstreamBytes() !== before) faults.push(`${what}: ${upstreamBytes() - before} bytes reached the backend`);
  }
  for (const [what, bytes] of unfinishedRequests) {
    const before = upstreamBytes();
    const answer = await sendRaw(port, bytes, { end: true });
    if (!answer.closed || answer.statuses.some((status) => status !== 400)) faults.push(told(what, answer));
    if (upstreamBytes() !== before) faults.push(`${what}: ${upstreamBytes() - before} bytes reached the backend`);
  }
  return faults;
}

/** Sends what is odd and yet HTTP; resolves with what was answered otherwise. */
export async function playLawful({ port, upstreamRequests }: Target): Promise<string[]> {
  const faults: string[] = [];
  for (const { what, bytes, statuses, upstream, closed } of lawfulRequests) {
    const before = upstreamRequests();
    const answer = await sendRaw(port, bytes, { quietMs: QUIET_MS * 2 });
    const seen = upstreamRequests() - before;
    if (answer.statuses.join() !== statuses.join() || seen !== upstream || answer.closed !== closed)
      faults.push(`${told(what, answer)}, ${seen} requests at the backend`);
  }
  return faults;
}

function told(what: string, { statuses, closed }: RawAnswer): string {
  return `${what}: ${statuses.length === 0 ? "no answer" : statuses.join(" and ")}, ${closed ? "closed" : "left open"}`;
}
