import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { Context } from "hono";
import { setStoreGauges } from "../store/open-store.ts";
import type { AdminView } from "./admin-access.ts";

const compress = promisify(gzip);

/** `/metrics`: all metrics as they are now, in the form that the scraper asks for, compressed where it takes that. */
export async function answerMetrics(c: Context, view: AdminView): Promise<Response> {
  const serving = view.serving();
  const { signals } = serving;
  const { metrics } = signals;
  signals.gauges(serving, view.room());
  if (view.stored !== undefined) {
    metrics.gauge("signalbox_stored_keys", {}).value = view.stored.size;
    metrics.gauge("signalbox_stored_keys_age_seconds", {}).value = view.stored.ageMs / 1000;
  }
  view.advisor().setGauges(metrics);
  if (view.store !== undefined) setStoreGauges(metrics, view.store());
  const { body, contentType } = await metrics.expose(c.req.header("accept"));
  const headers = { "content-type": contentType, vary: "accept, accept-encoding" };
  if (!/\bgzip\b/.test(c.req.header("accept-encoding") ?? "")) return c.body(bytesOf(body), 200, headers);
  // Not by the event loop: requests go on meanwhile.
  const packed = await compress(body, { level: constants.Z_BEST_SPEED });
  return c.body(bytesOf(packed), 200, { ...headers, "content-encoding": "gzip" });
}

const bytesOf = (body: string | Buffer): string | Uint8Array<ArrayBuffer> =>
  typeof body === "string" ? body : new Uint8Array(body);
