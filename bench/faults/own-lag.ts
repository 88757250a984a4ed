const STEP_MS = 10;
const KEPT = 30_000;

interface Delay {
  readonly at: number;
  readonly ms: number;
}

const delays: Delay[] = [];
let timer: NodeJS.Timeout | undefined;

/** Begins to watch how late this process's own timers are; nothing when it is watched already. */
export function watchOwnLag(): void {
  if (timer !== undefined) return;
  let due = performance.now() + STEP_MS;
  timer = setInterval(() => {
    const at = performance.now();
    if (at - due > STEP_MS) delays.push({ at, ms: at - due });
    if (delays.length > KEPT) delays.splice(0, KEPT / 2);
    due = at + STEP_MS;
  }, STEP_MS).unref();
}

/** The longest time that this process was late since then, in milliseconds: what it measured may be wrong by so much. */
export function ownLagSince(started: number): number {
  let most = 0;
  for (let i = delays.length - 1; i >= 0 && delays[i]!.at >= started; i--) most = Math.max(most, delays[i]!.ms);
  return most;
}
