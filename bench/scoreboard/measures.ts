import { keyTiming } from "./key-timing.ts";
import { malformedHttp } from "./malformed-http.ts";
import type { Measure } from "./measure.ts";
import { routes } from "./routes.ts";
import { ssrf } from "./ssrf.ts";

/** Every number of the scoreboard that a script here takes, by its number there. */
export const measures = {
  S21: routes,
  S22: ssrf,
  S24: malformedHttp,
  S29: keyTiming,
} as const satisfies Readonly<Record<`S${number}`, Measure>>;
