import type { BackendKindName } from "@signalbox/backends";
import type { ErrorCode } from "@signalbox/protocol";
import type { Holder, Policy, Priority, SaturationLimits } from "@signalbox/router";
import type { Scaling } from "../advice/load-history.ts";
import type { AlertThreshold } from "../signals/alert-table.ts";
import type { Guards } from "./compile-guards.ts";
import type { Privacy } from "./compile-privacy.ts";
import type { Address, Period, Rate, TokenPrice } from "./units.ts";

/** A config file, checked and resolved: what the gateway runs by. Immutable; a reload makes a new one. */
export interface Config {
  /** SHA-256 (hex) of the file and of the files it names: equal hash, equal config. */
  readonly hash: string;
  readonly server: ServerConfig;
  /** Where limits are counted: in this process, or in a Redis that replicas share. */
  readonly store: "memory" | RedisConfig;
  readonly backends: ReadonlyMap<string, BackendConfig>;
  /** Models, aliases, rules and thresholds, all of them; what a team's requests are decided by is `privacy.policyOf`. */
  readonly policy: Policy;
  /** What all teams together may use of a model, by its name; models without limits are not there. */
  readonly modelLimits: ReadonlyMap<string, Limits>;
  /** What becomes of each team's data. */
  readonly privacy: Privacy;
  /** What tokens cost, by the model's name; a model that is not here is free. */
  readonly prices: ReadonlyMap<string, ModelPrice>;
  /** Of the model that savings are measured against; undefined = nothing has a price. */
  readonly baselinePrice: ModelPrice | undefined;
  readonly usage: UsageConfig;
  /** Undefined = open: no key is checked, everybody is the team `default`. */
  readonly teams: ReadonlyMap<string, Team> | undefined;
  /** What alert rules compare with. */
  readonly alerts: readonly AlertThreshold[];
  /** What tool calls are held to. */
  readonly guards: Guards;
  /** Of the whole request; a backend may have its own `connect`, `firstToken`, `idle` and `coldStart`. */
  readonly timeouts: Timeouts;
  /** Most attempts of one request, all backends and models together. */
  readonly attempts: number;
  /** Where requests wait whose backends are saturated. */
  readonly queue: QueueConfig;
  /** What advice on the number of backends is reckoned by. */
  readonly scaling: Scaling;
  /** Further attempts as a share of all requests, 0 to 1. */
  readonly retryBudget: number;
  readonly tests: readonly PolicyTest[];
  /** The files that the config names (`*_file`), as absolute paths. */
  readonly files: readonly string[];
}

interface ServerConfig {
  readonly listen: Address;
  readonly admin: Address;
  /** Who may do what through the admin listener; a function, so that a printed config holds nothing of it. */
  readonly adminTokens: () => readonly AdminToken[];
  /** Reading `/status` and `/metrics` wants a token too. */
  readonly guardsReading: boolean;
  /** An absolute path; undefined = what is done to the gateway is in the log alone. */
  readonly auditFile: string | undefined;
  readonly maxBodyBytes: number;
  readonly maxJsonDepth: number;
  readonly maxJsonKeys: number;
  readonly timeouts: ServerTimeouts;
  /** Bytes of a body a second, on average. */
  readonly minBodyRate: number;
  /** Bytes of all bodies together; undefined = by the memory of the machine. */
  readonly maxBodiesBytes: number | undefined;
  /** Undefined = by the descriptors that the process may have. */
  readonly maxConnections: number | undefined;
  /** Undefined = as many as connections. */
  readonly maxRequests: number | undefined;
  /** 0 = the event loop's lag refuses nothing. */
  readonly shedLagMs: number;
  readonly drainDelayMs: number;
  readonly drainMs: number;
  /** Teams that have a label of their own in metrics. */
  readonly metricTeams: number;
  readonly log: "json" | "pretty" | "silent";
  /** Undefined = no reply is kept. */
  readonly capture: CaptureConfig | undefined;
  /** Undefined = nothing is traced. */
  readonly traces: TracesConfig | undefined;
}

/** Which requests are traced, and where their spans go. Secrets are functions, so that a printed config holds none. */
export interface TracesConfig {
  /** The whole address that batches are sent to. */
  readonly endpoint: string;
  /** Of all requests, 0 to 1. */
  readonly sample: number;
  /** Infinity = being slow is no reason. */
  readonly slowMs: number;
  /** A client's own decision counts in place of `sample`. */
  readonly followsClients: boolean;
  /** Prompt and answer, of teams with `log: full`. */
  readonly content: boolean;
  /** For the collector; lower-case names. */
  readonly headers: () => Readonly<Record<string, string>>;
  readonly tls: () => TlsOptions | undefined;
  readonly serviceName: string;
  /** Of the resource. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Spans that may wait. */
  readonly queue: number;
}

/** What a token is for, each with all that those before it may. */
export const adminRoles = ["viewer", "operator", "admin"] as const;
export type AdminRole = (typeof adminRoles)[number];

/** Who may do something through the admin listener. */
export interface AdminToken {
  readonly name: string;
  readonly role: AdminRole;
  /** SHA-256 of the token. */
  readonly hash: Buffer;
}

/** A Redis, and how to reach it. Secrets are functions, so that a printed config holds none. */
export interface RedisConfig {
  /** One server; Sentinels, who know where the master is; or nodes of a Cluster. */
  readonly topology: "single" | "sentinel" | "cluster";
  /** Of the server, of Sentinels, or of nodes. */
  readonly addresses: readonly Address[];
  /** What the Sentinels call the master. */
  readonly masterName: string | undefined;
  readonly database: number;
  readonly username: string | undefined;
  readonly password: () => string | undefined;
  readonly sentinelPassword: () => string | undefined;
  /** Undefined = not encrypted. */
  readonly tls: () => TlsOptions | undefined;
  /** All keys begin with it, in braces: `{signalbox}:`. */
  readonly prefix: string;
  /** Replicas that are assumed, at least, while Redis cannot be reached. */
  readonly instances: number;
}

/** What a model's tokens cost. */
export interface ModelPrice {
  readonly input: TokenPrice;
  readonly output: TokenPrice;
}

/** Where it is written down what each request used. */
export interface UsageConfig {
  /** An absolute path; undefined = no files. */
  readonly folder: string | undefined;
  readonly keepDays: number;
}

/** How long a client may take; milliseconds, each at least 1. */
interface ServerTimeouts {
  readonly readHeaderMs: number;
  readonly readBodyMs: number;
  readonly writeMs: number;
  readonly idleMs: number;
}

/** What a reply may be captured for. */
export type CaptureOutcome = "failed" | "repaired" | "leaked" | "coerced";

/** Which replies are kept, and where. */
export interface CaptureConfig {
  /** An absolute path. */
  readonly file: string;
  readonly maxBytes: number;
  readonly outcomes: readonly CaptureOutcome[];
}

/** How many requests may wait for saturated backends, and how long. */
export interface QueueConfig {
  /** 0 = none: they are answered with 503 at once. */
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

/** Milliseconds, each at least 1. */
interface Timeouts extends BackendTimeouts {
  readonly totalMs: number;
}

interface BackendTimeouts {
  readonly connectMs: number;
  readonly firstTokenMs: number;
  readonly idleMs: number;
  /** Instead of `firstTokenMs` while the backend says that it loads the model. */
  readonly coldStartMs: number;
}

export interface BackendConfig {
  readonly name: string;
  readonly kind: BackendKindName;
  /** Without a slash at the end, and without `/v1`: the kind adds its paths. `auto` = found by the kind's `discover`. */
  readonly url: string;
  /** Headers to send with every request, `authorization` among them; lower-case names. A function, so that a printed config holds no secret. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** Infinity = no limit of ours. */
  readonly maxConcurrent: number;
  /** 0 = not said. */
  readonly gpus: number;
  /** When its engine counts as saturated, by its own word. */
  readonly saturation: SaturationLimits;
  readonly tls: () => TlsOptions | undefined;
  /** Off limits for teams whose data stays local. */
  readonly hosted: boolean;
  /** The command that finds the address with `url: auto`; undefined = the kind's own. */
  readonly discoverCommand: readonly string[] | undefined;
  readonly probe: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly timeouts: BackendTimeouts;
}

/** PEM texts, as Node's `connect` options take them. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** A key that stands in the policy file. */
export interface TeamKey {
  /** `sha256:` and 64 hex digits, lower case. */
  readonly hash: string;
  /** What it is known by where it is counted and told of: its name, else the first 8 hex digits of its hash. */
  readonly id: string;
  readonly name: string | undefined;
  /** Milliseconds since 1970; Infinity = never. */
  readonly expiresAt: number;
}

export interface Team {
  readonly name: string;
  readonly keys: readonly TeamKey[];
  /** Model names (aliases resolved) and perhaps `auto`. Undefined = all, and `auto`. */
  readonly models: ReadonlySet<string> | undefined;
  readonly limits: TeamLimits;
  /** What it may use in a day, a week or a month. */
  readonly budgets?: readonly Budget[];
  /** Of its requests, unless they say less. */
  readonly priority: Priority;
  /** Its share of what is scarce, among the teams of its priority. */
  readonly weight: number;
  /** By what its share of slots is measured. */
  readonly holder: Holder;
}

/** What is counted over a period. */
export type BudgetMeter = "tokens" | "cost" | "gpu_seconds";

/** What a team may use in a period of the calendar. */
export interface Budget {
  readonly meter: BudgetMeter;
  readonly every: Period;
  /** Whole: tokens, billionths of the currency, or milliseconds of one GPU. */
  readonly limit: number;
}

/** What may be used; without limit where nothing is said. The rates of a list have windows of different lengths. */
export interface Limits {
  readonly requests?: readonly Rate[];
  /** Of prompts and replies together. */
  readonly tokens?: readonly Rate[];
  readonly inputTokens?: readonly Rate[];
  readonly outputTokens?: readonly Rate[];
  /** Requests under way at once. */
  readonly concurrent?: number;
}

interface TeamLimits extends Limits {
  /** Of each key by itself. */
  readonly perKey?: Limits;
  /** By the model's name (aliases resolved). */
  readonly perModel?: ReadonlyMap<string, Limits>;
}

/** A request and what must come of it. */
export interface PolicyTest {
  readonly name: string;
  /** Where it stands in the file, from 1. */
  readonly line: number;
  /** Undefined = a team that may use everything. */
  readonly team: string | undefined;
  /** The body of a chat request. */
  readonly body: Readonly<Record<string, unknown>> & { readonly model: string };
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expect: { readonly model?: string; readonly reason?: string; readonly error?: ErrorCode };
}
