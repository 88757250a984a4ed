import { startBlackhole as start } from "@signalbox/simulator";
import { onTestFinished } from "vitest";

/** An address that takes no connection and refuses none; gone when the test ends. */
export async function startBlackhole(): Promise<string> {
  const blackhole = await start();
  onTestFinished(() => blackhole.close());
  return blackhole.url;
}
