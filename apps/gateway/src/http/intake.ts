import { GatewayError } from "@signalbox/protocol";
import { Bag, type Bagged } from "../runtime/bag.ts";
import { overloaded } from "./refusals.ts";

/** A body that is coming in. */
export interface IncomingBody extends Bagged {
  /** By `performance.now()`. */
  readonly bodyBegan: number;
  /** Bytes that have come. */
  readonly received: number;
  refuseBody(error: GatewayError): void;
}

export interface IntakeSettings {
  /** Until a body is there whole, from its request's head on. */
  readonly readBodyMs: number;
  /** From when on its rate is looked at. */
  readonly graceMs: number;
  /** Bytes a second, on average. */
  readonly minRate: number;
  /** Bytes of all bodies under way together. */
  readonly maxBytes: number;
}

/** Bodies up to this size do not count: the cap on requests bounds them. */
const SMALL_BYTES = 64 * 1024;

/** The request bodies of a gateway: how fast they must come, and how much memory they may take together. */
export class Intake {
  settings: IntakeSettings;
  /** Bytes of bodies under way, coming in or in use; small ones apart. */
  held = 0;
  readonly #coming = new Bag<IncomingBody>();
  readonly #onRefused: () => void;
  #checking: NodeJS.Timeout | undefined;

  /** `onRefused` is told of each body that there was no room for. */
  constructor(settings: IntakeSettings, onRefused: () => void) {
    this.settings = settings;
    this.#onRefused = onRefused;
  }

  /** Why a body of this declared size need not even begin; undefined = it may. */
  refusal(declared: number): GatewayError | undefined {
    if (declared <= SMALL_BYTES || this.held + declared <= this.settings.maxBytes) return undefined;
    return this.#refused();
  }

  /** A body begins: from now on it must keep up. */
  begin(body: IncomingBody): void {
    this.#coming.add(body);
    if (this.#checking !== undefined) return;
    const { readBodyMs, graceMs } = this.settings;
    const everyMs = Math.min(500, Math.max(10, Math.min(readBodyMs, graceMs) / 20));
    this.#checking = setInterval(() => this.#check(), everyMs).unref();
  }

  /** A body is there, or will never be. */
  end(body: IncomingBody): void {
    this.#coming.delete(body);
  }

  /** Takes room for a body of `size` bytes so far, of which `held` were taken before. A number of bytes now held, or why not. */
  hold(size: number, held: number): number | GatewayError {
    if (size <= SMALL_BYTES) return 0;
    if (this.held + size - held > this.settings.maxBytes) return this.#refused();
    this.held += size - held;
    return size;
  }

  release(held: number): void {
    this.held -= held;
  }

  #refused(): GatewayError {
    this.#onRefused();
    return overloaded(`the bodies under way have ${this.held} of ${this.settings.maxBytes} bytes`);
  }

  #check(): void {
    const now = performance.now();
    const { items } = this.#coming;
    // From the end: a body that is refused leaves, and the last one takes its place.
    for (let index = items.length - 1; index >= 0; index--) {
      const body = items[index];
      const late = body && this.#lateness(body, now);
      if (late !== undefined) body!.refuseBody(new GatewayError("request_timeout", late));
    }
    if (this.#coming.size > 0) return;
    clearInterval(this.#checking);
    this.#checking = undefined;
  }

  #lateness({ bodyBegan, received }: IncomingBody, now: number): string | undefined {
    const { readBodyMs, graceMs, minRate } = this.settings;
    const ms = now - bodyBegan;
    if (ms >= readBodyMs) return `the request body was not there within ${readBodyMs} ms`;
    if (ms < graceMs || received >= (minRate * ms) / 1000) return undefined;
    return `the request body came too slowly: ${received} bytes in ${Math.round(ms)} ms, where ${minRate} a second are expected`;
  }
}
