// Loaded into the gateway's process by `--import`: tells its parent, when asked, what memory it holds after a collection.
import { writeHeapSnapshot } from "node:v8";

const collect = (globalThis as { gc?: () => void }).gc;

async function settle(): Promise<void> {
  // What one collection finds free may hold what only the next one finds.
  for (let round = 0; round < 3; round++) {
    collect?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

process.on("message", async (question: { readonly snapshot?: string }) => {
  await settle();
  if (question.snapshot !== undefined) writeHeapSnapshot(question.snapshot);
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  process.send?.({ ...process.memoryUsage(), resources });
});
// To be asked must not keep a gateway alive that was told to stop.
process.channel?.unref();
