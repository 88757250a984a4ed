import type { Admission } from "./admission.ts";
import type { Answer } from "./answer.ts";
import type { EngineState } from "./engine-state.ts";
import type { FaultBoard } from "./fault-board.ts";
import type { HttpListener } from "./http-server.ts";
import type { SimulatedKind } from "./kind.ts";
import type { RequestLog } from "./request-log.ts";
import type { ScriptContext, ScriptReply } from "./script.ts";

/** The parts of one running simulator. */
export interface Engine {
  readonly kind: SimulatedKind;
  readonly state: EngineState;
  readonly admission: Admission;
  readonly faults: FaultBoard;
  readonly log: RequestLog;
  readonly script: (context: ScriptContext) => ScriptReply | undefined;
  /** Answers made up before, by request body. */
  readonly answers: Map<string, readonly Answer[]>;
  readonly random: () => number;
  listener(): HttpListener;
  /** Stops listening and resets all connections; listens again after `ms`, or when asked when it is undefined. */
  refuse(ms: number | undefined): Promise<void>;
  revive(): Promise<void>;
}
