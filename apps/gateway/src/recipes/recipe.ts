import type { BackendKindName } from "@signalbox/backends";

/** How much is expected of an engine, from one person to a busy pool. */
export const scenarios = ["light", "balanced", "heavy"] as const;
export type Scenario = (typeof scenarios)[number];

/** What is to be launched; the kind knows which of these there are. */
export interface Choice {
  readonly model: string;
  readonly scenario: Scenario;
  readonly gpus: number;
}

/** Everything that Signalbox knows of launching one kind of engine. */
export interface RecipeKind {
  /** The engine's version, and what the flags were checked against. */
  readonly checked: string;
  /** Models by their short names, with the other names that they go by. The first is the default. */
  readonly models: Readonly<Record<string, readonly string[]>>;
  /** In their order; the default is `balanced` where it is there, else the first. */
  readonly scenarios: readonly Scenario[];
  /** Numbers of GPUs that a model can be launched on; the first is the default. 0 = a processor alone. */
  gpusOf(model: string): readonly number[];
  /** Calls for one that there is. */
  recipe(choice: Choice): Recipe;
}

/** One way to launch an engine, with the policy that goes with it. Every form that is printed is made from it. */
export interface Recipe {
  readonly kind: BackendKindName;
  readonly choice: Choice;
  /** One line for people: `MiniMax-M2 on SGLang`. */
  readonly title: string;
  /** What to know before it is launched, a sentence each; memory with its arithmetic. */
  readonly notes: readonly string[];
  readonly launch: Launch;
  readonly backend: RecipeBackend;
  readonly model: RecipeModel;
}

/** How the engine's process is started. */
interface Launch {
  /** Variables of its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Shell commands that come first. */
  readonly before: readonly string[];
  /** The program and what does not change: `vllm serve MODEL`. Without it `before` does everything. */
  readonly program?: readonly string[];
  /** Flags, each with its value. */
  readonly flags: readonly Flag[];
  /** Shell commands once it answers. */
  readonly after?: After;
  /** Where it listens; undefined when it changes at every start. */
  readonly port?: number;
  /** How it runs in a container; undefined when there is no image of it. */
  readonly container?: Container;
}

/** One flag of a command line, alone or with its value. */
export type Flag = readonly [name: string] | readonly [name: string, value: string];

/** What a started engine is still to be told, such as which model to fetch. */
export interface After {
  /** Succeeds as soon as the engine answers. */
  readonly ready: string;
  readonly run: string;
}

/** What a container of the engine needs. */
export interface Container {
  /** With its version. */
  readonly image: string;
  /** The program in the image where it is another than outside. */
  readonly program?: readonly string[];
  /** Flags that have another value there, such as the address to listen on. */
  readonly flags?: readonly Flag[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Exits with 0 while the engine is well. */
  readonly health: readonly string[];
  /** The path of the same over HTTP. */
  readonly healthPath: string;
  /** Where the weights are kept, across restarts. */
  readonly weightsPath: string;
  /** Disk for them. */
  readonly weightsGib: number;
  /** Main memory. */
  readonly memoryGib: number;
  readonly cpus: number;
  /** `/dev/shm`, where the processes of several GPUs meet. */
  readonly sharedMemoryGib?: number;
  /** Longest first start: download and load. */
  readonly startMinutes: number;
  /** A shell command that fetches the weights before the engine is started. */
  readonly fetch?: string;
}

/** The backend's settings in the policy but `kind` and `url`, in the order in which they are printed. */
interface RecipeBackend {
  readonly url?: "auto";
  readonly max_concurrent: number;
  readonly gpus?: number;
  readonly tool_parser?: "engine" | "raw";
  readonly timeouts?: Readonly<Record<string, string>>;
}

/** The model's settings in the policy. */
interface RecipeModel {
  /** As clients and rules say it. */
  readonly name: string;
  /** As the engine knows it. */
  readonly upstream: string;
  readonly dialect: string;
  readonly reasoning_first?: boolean;
  readonly context?: number;
  readonly tools: boolean;
  readonly defaults?: Readonly<Record<string, number>>;
}

/** What a recipe is called in files and services: lower-case letters, digits and dashes. */
export function nameOf({ kind, choice: { model, gpus, scenario } }: Pick<Recipe, "kind" | "choice">): string {
  const parts = [kind, model, ...(gpus > 1 ? [`${gpus}gpu`] : []), scenario];
  return parts
    .join("-")
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-");
}
