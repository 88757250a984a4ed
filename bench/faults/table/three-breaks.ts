import type { Scene } from "../scenario.ts";

/** F23: streams that break are failures: the third opens the breaker, and then the fallback answers. */
export async function playThreeBreaks({ checks, start }: Scene): Promise<void> {
  const stage = await start();
  const { pool } = stage;
  await pool.strike({ kind: "clean_cut" });
  for (let i = 0; i < 3; i++)
    checks.is("client", "the error's code", (await stage.chat(true)).error?.code, "stream_interrupted");
  checks.is("metrics", "moves to open", await stage.grown("signalbox_breaker_transitions_total", { to: "open" }), 1);
  checks.is("client", "the words after that", (await stage.chat(true)).content, pool.words.fallback);
  checks.is("engines", "requests to the primary", pool.posts("primary"), 3);
}
