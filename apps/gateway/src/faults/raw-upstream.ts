import { readFileSync } from "node:fs";
import { type RawExchange, type RawUpstream, startRawUpstream as start } from "@signalbox/simulator";
import { onTestFinished } from "vitest";

export { chunkOf, JSON_HEAD, LAST_CHUNK, STREAM_HEAD } from "@signalbox/simulator";

/** A server that answers with exactly the bytes that it is told to; closed when the test ends. */
export async function startRawUpstream(answer: (exchange: RawExchange) => void, probes?: string): Promise<RawUpstream> {
  const upstream = await start(answer, probes);
  onTestFinished(() => upstream.close());
  return upstream;
}

const recordings = new URL("../../../../packages/backends/recordings/", import.meta.url);

/** The body of a recorded answer, byte for byte as latin1 text; of a partial recording what was kept, from its first whole event on. */
export function recordedBody(name: string): string {
  let text = readFileSync(new URL(name, recordings), "latin1");
  if (text.startsWith("$ ")) text = text.slice(text.indexOf("\n") + 1);
  text = text.replace(/\n\[[^\n]*total=[^\n]*\]\n?$/, "").replace(/[^\n]*\n\[\.\.\. cut here \.\.\.\]\n[^\n]*\n\n/, "");
  if (!text.startsWith("HTTP/")) return text.slice(text.indexOf("data: "));
  const gap = /\r?\n\r?\n/.exec(text)!;
  return text.slice(gap.index + gap[0].length);
}
