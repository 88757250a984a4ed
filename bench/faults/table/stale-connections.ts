import type { Scene } from "../scenario.ts";

const ROUNDS = 10;

/** F06: after each answer the kept connection dies, and the next request finds it dead. */
export async function playStaleConnections({ checks, start }: Scene): Promise<void> {
  const stage = await start({ pools: [{ fallback: false }] });
  const { pool } = stage;
  for (let i = 0; i <= ROUNDS; i++) {
    const answer = await stage.chat(i % 2 === 0);
    checks.is("client", `the status of answer ${i}`, answer.status, 200);
    checks.is("client", `the words of answer ${i}`, answer.content, pool.words.primary);
    await pool.primary.clearFaults();
    pool.primary.fault({ kind: "stale_connection", times: 1 });
  }
  const stale = pool.seen("primary").filter(({ fault }) => fault === "stale_connection").length;
  checks.within("engines", "connections that were found dead", stale, ROUNDS - 1, ROUNDS);
  checks.is("engines", "requests", pool.posts("primary"), ROUNDS + 1 + stale);
  checks.is(
    "metrics",
    "attempts that succeeded",
    await stage.grown("signalbox_attempts_total", { backend: "primary", outcome: "ok" }),
    ROUNDS + 1,
  );
  checks.is("metrics", "moves of the breaker", await stage.grown("signalbox_breaker_transitions_total"), 0);
}
