import type { GatewayOptions } from "../faults/gateway-process.ts";
import { type ReadyGateway, startReadyGateway } from "../hostile/ready-gateway.ts";
import { Engine } from "./engine.ts";
import { judge, type Verdict } from "./judge.ts";
import { type Heard, Lane, play, requestOf } from "./lane.ts";
import type { Plan } from "./plan.ts";

/** Whose request it is. */
interface Asker {
  readonly model: string;
  readonly key?: string;
}

/** Engines in this process that do what plans say, behind a gateway in a process of its own. */
export interface Lab<Name extends string> extends AsyncDisposable {
  readonly gateway: ReadyGateway;
  readonly engines: Readonly<Record<Name, Engine>>;
  /** A client; it leaves when the lab closes. */
  lane(): Lane;
  /** Asks for what a plan says, and judges the answer by what the engines did. */
  ask(lane: Lane, plan: Plan, asker: Asker): Promise<{ readonly heard: Heard; readonly verdict: Verdict }>;
}

export interface LabOptions<Name extends string> extends Omit<GatewayOptions, "config"> {
  readonly engines: readonly Name[];
  /** All engines say the same, as replicas of one model do. */
  readonly replicas?: boolean;
  /** The policy, by the addresses of the engines. */
  readonly config: (urls: Readonly<Record<Name, string>>) => GatewayOptions["config"];
}

/** Starts engines and a gateway that is ready for them. */
export async function openLab<Name extends string>(options: LabOptions<Name>): Promise<Lab<Name>> {
  const { engines: names, config, replicas = false, ...more } = options;
  const plans = new Map<number, Plan>();
  const opened = await Promise.all(names.map((name) => new Engine(name, plans, replicas ? names[0] : name).open()));
  const close = (): Promise<unknown> => Promise.all(opened.map((engine) => engine.close()));
  const engines = Object.fromEntries(opened.map((engine) => [engine.name, engine])) as Record<Name, Engine>;
  const urls = Object.fromEntries(opened.map(({ name, url }) => [name, url])) as Record<Name, string>;
  const gateway = await startReadyGateway({ config: config(urls), ...more }).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const lanes: Lane[] = [];
  return {
    gateway,
    engines,
    lane() {
      const lane = new Lane(gateway.port);
      lanes.push(lane);
      return lane;
    },
    async ask(lane, plan, asker) {
      plans.set(plan.number, plan);
      const heard = await play(lane, plan, requestOf(plan, asker));
      plans.delete(plan.number);
      return { heard, verdict: judge(plan, heard) };
    },
    async [Symbol.asyncDispose]() {
      for (const lane of lanes) lane.leave();
      await gateway.close();
      await close();
    },
  };
}
