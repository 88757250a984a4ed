import type { FaultInput } from "../../packages/simulator/src/index.ts";
import type { Checks } from "./checks.ts";
import type { Labels } from "./metrics.ts";
import type { EngineName, Pool, PoolShape, TableFault } from "./pool.ts";
import type { Profile } from "./profile.ts";
import type { Stage, StageShape } from "./stage.ts";

/** One row of the fault matrix: the fault, and the outcome that is promised. */
export interface Scenario {
  /** `F01` to `F73`. */
  readonly id: string;
  /** What goes wrong, and what becomes of it: `a refused connection -> the next target within 50 ms`. */
  readonly title: string;
  /** Why it cannot be played yet; it is counted as skipped. */
  readonly skipped?: string;
  /** Played while no other scenario is: what it measures would not bear company. */
  readonly alone?: boolean;
  /** Seconds that it may take in the real profile; 120 unless given. */
  readonly seconds?: number;
  /** Why a side is not asked. */
  readonly unasked?: { readonly [Side in "client" | "engines" | "metrics"]?: string };
  /** One fault and its outcome each; they are played side by side, each on a pool of its own behind one gateway. */
  readonly cases?: readonly Case[];
  /** What does not fit into a case. */
  play?(scene: Scene): Promise<void>;
}

/** One request under one fault, streamed, whole or both. */
export interface Case {
  /** Which of the row's cases; not needed where there is one. */
  readonly what?: string;
  /** Nothing where the pool itself is the fault. */
  readonly fault?: TableFault | ((profile: Profile, pool: Pool) => TableFault);
  /** What befalls the fallback. */
  readonly fallbackFault?: FaultInput;
  /** Both, each on its own pool, unless given. */
  readonly modes?: readonly Mode[];
  readonly pool?: PoolShape | ((profile: Profile) => PoolShape);
  /** The request is sent so many times, one after the other, each with the same outcome; once unless given. */
  readonly times?: number;
  /** More members of the request's body. */
  readonly body?: Readonly<Record<string, unknown>>;
  readonly expect: Expectation;
}

export type Mode = "stream" | "whole";

/** The outcome, from three sides. */
export interface Expectation {
  readonly client: ClientExpectation;
  /** POST requests that each engine gets of each of the client's; and each has been let go soon after the answer. */
  readonly engines: Readonly<Record<EngineName, number>>;
  /** At least and at most so many milliseconds, in any profile, lie between two requests to the primary. */
  readonly apart?: readonly [number, number];
  /** Growth, with each of the client's requests, of the sum of these series; names without `signalbox_`, and values as in a stage's first pool. */
  readonly metrics: readonly (readonly [name: string, labels: Labels, grown: number])[];
}

/** What the client gets. */
export interface ClientExpectation {
  readonly status: number;
  /**
   * `whole`: all words of the engine `from`, one finish_reason, `[DONE]` if streamed. `broken`: a beginning of them, an error
   * event, no finish_reason, no `[DONE]`. `refused`: an error alone.
   */
  readonly end: "whole" | "broken" | "refused";
  readonly from?: EngineName;
  /** Of a broken or refused answer. */
  readonly code?: string;
  /** As the header tells them. */
  readonly attempts?: number;
  /** Text in place of the engine's words. */
  readonly content?: string;
  /** The whole body, parsed. */
  readonly json?: unknown;
  /** What the body must not show. */
  readonly hides?: RegExp;
  /** The end comes no earlier than this after the request; milliseconds of the real profile. */
  readonly after?: number;
  /** ... and at most so much later, in milliseconds of any profile, not counting the stage's noise; 3,000 unless given. */
  readonly within?: number;
  readonly headers?: Labels;
}

/** Where a scenario plays. */
export interface Scene {
  readonly profile: Profile;
  /** Numbers in [0, 1) that follow from the seed and the row's id. */
  readonly random: () => number;
  readonly checks: Checks;
  /** Starts engines and a gateway, which are stopped when the scenario ends. */
  start(shape?: StageShape): Promise<Stage>;
  /** Keeps a figure for the JSON. */
  note(name: string, value: number): void;
}
