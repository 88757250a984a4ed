// A process of its own for one simulated engine, so that it can be killed like a real one. Its parent gives the options as
// JSON in the first argument and hears the port; it ends with its parent.
import { type SimulatorInput, startSimulator } from "@signalbox/simulator";
import { wordsOf } from "../runtime/words-of.ts";

const tell = (message: EngineMessage): void => void process.send?.(message);

/** What the child says once: where it listens, or why it does not. */
export type EngineMessage = { readonly port: number } | { readonly error: string };

if (import.meta.main) {
  // Ctrl-C goes to every process of a terminal: the parent ends this one when the gateway is closed.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => process.exit(0));
  try {
    const { port } = await startSimulator(JSON.parse(process.argv[2] ?? "") as SimulatorInput);
    tell({ port });
  } catch (error) {
    tell({ error: wordsOf(error) });
    process.exitCode = 1;
    process.disconnect?.();
  }
}
