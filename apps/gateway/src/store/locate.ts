import type { RedisConfig } from "../config/config.ts";
import type { Address } from "../config/units.ts";
import { wordsOf } from "../runtime/words-of.ts";
import { openClient, type RedisClient } from "./redis-client.ts";

/** Finds the server that has our keys. */
export interface Locator {
  /** @throws Error that says why nobody knew. */
  locate(): Promise<Address>;
  /** What a server said of where our keys are now: asked first, the next time. */
  hint(address: Address): void;
  /** True where the answer may change though the server that has our keys says nothing of it. */
  readonly mayMove: boolean;
  close(): void;
}

/** Nodes of a Cluster that are remembered beside those of the config. */
const MAX_NODES = 50;
/** How long a Sentinel or a node may take to say where. */
const ANSWER_MS = 1000;

/** A locator for what the config says. */
export function createLocator(config: RedisConfig): Locator {
  if (config.topology === "sentinel") return new SentinelLocator(config);
  if (config.topology === "cluster") return new ClusterLocator(config);
  return { mayMove: false, locate: async () => config.addresses[0]!, hint: () => {}, close: () => {} };
}

class SentinelLocator implements Locator {
  /** A master that the Sentinels have replaced takes writes for some seconds more, and nobody else sees them. */
  readonly mayMove = true;
  readonly #config: RedisConfig;
  /** The one who answered last is asked first, on the same connection. */
  #kept: { readonly sentinel: Address; readonly client: RedisClient } | undefined;
  #closed = false;

  constructor(config: RedisConfig) {
    this.#config = config;
  }

  hint(): void {}

  close(): void {
    this.#closed = true;
    this.#kept?.client.disconnect();
  }

  async locate(): Promise<Address> {
    const last = this.#kept?.sentinel;
    const others = this.#config.addresses.filter((address) => address !== last);
    return askEach(last === undefined ? others : [last, ...others], "Sentinel", (sentinel) => this.#ask(sentinel));
  }

  async #ask(sentinel: Address): Promise<Address> {
    const { masterName } = this.#config;
    if (this.#kept?.sentinel !== sentinel || this.#kept.client.status !== "ready") {
      const opened = await openClient({ config: this.#config, address: sentinel, sentinel: true });
      this.#kept?.client.disconnect();
      this.#kept = { sentinel, client: opened };
      if (this.#closed) opened.disconnect();
    }
    const { client } = this.#kept;
    const answer = await withinTime(client, client.call("sentinel", "get-master-addr-by-name", masterName!));
    if (!Array.isArray(answer)) throw new Error(`it knows no master ${masterName}`);
    return { host: String(answer[0]), port: Number(answer[1]) };
  }
}

class ClusterLocator implements Locator {
  /** A node that has lost a slot says so to whoever asks for it. */
  readonly mayMove = false;
  readonly #config: RedisConfig;
  #nodes: readonly Address[];
  #hint: Address | undefined;

  constructor(config: RedisConfig) {
    this.#config = config;
    this.#nodes = config.addresses;
  }

  hint(address: Address): void {
    this.#hint = address;
  }

  close(): void {}

  async locate(): Promise<Address> {
    const told = this.#hint;
    this.#hint = undefined;
    if (told !== undefined) return told;
    return askEach(this.#nodes, "node", async (node) => {
      const [slot, ranges] = await this.#ask(node);
      const found = readSlots(ranges, node);
      const owner = found.find(({ first, last }) => first <= Number(slot) && Number(slot) <= last);
      if (owner === undefined) throw new Error(`nobody serves slot ${slot}`);
      const known = new Map(
        [...this.#config.addresses, ...found.map(({ master }) => master)].map((a) => [keyOf(a), a]),
      );
      this.#nodes = [owner.master, ...known.values()].slice(0, MAX_NODES);
      return owner.master;
    });
  }

  async #ask(node: Address): Promise<[slot: unknown, ranges: unknown]> {
    const client = await openClient({ config: this.#config, address: node });
    try {
      const key = `{${this.#config.prefix}}`;
      const questions = [client.call("cluster", "keyslot", key), client.call("cluster", "slots")] as const;
      return await withinTime(client, Promise.all(questions));
    } finally {
      client.disconnect();
    }
  }
}

const keyOf = ({ host, port }: Address): string => `${host}:${port}`;

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: Address;
}

/** `CLUSTER SLOTS`: a list of [first, last, [host, port, ...], replicas...]. */
function readSlots(answer: unknown, asked: Address): SlotRange[] {
  return (Array.isArray(answer) ? answer : []).map(([first, last, [host, port]]) => {
    // A node that does not know its own name is where it was asked.
    return { first: Number(first), last: Number(last), master: { host: host || asked.host, port: Number(port) } };
  });
}

/** One after the other, until one knows. */
async function askEach(
  addresses: readonly Address[],
  what: string,
  question: (address: Address) => Promise<Address>,
): Promise<Address> {
  const failures: string[] = [];
  for (const address of addresses) {
    try {
      return await question(address);
    } catch (error) {
      failures.push(wordsOf(error));
    }
  }
  throw new Error(`no ${what} says where our keys are (${failures.slice(0, 3).join("; ")})`);
}

/** Ends a connection that does not answer, by which what was asked rejects. */
async function withinTime<T>(client: RedisClient, answer: Promise<T>): Promise<T> {
  const timer = setTimeout(() => client.disconnect(), ANSWER_MS);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}

/** Where a server's `MOVED 3999 host:port` or `ASK 3999 host:port` points; undefined = another error. */
export function redirection(
  message: string,
  asked: Address,
): { readonly kind: "MOVED" | "ASK"; readonly address: Address } | undefined {
  const match = /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(message);
  if (!match) return undefined;
  return { kind: match[1] as "MOVED" | "ASK", address: { host: match[2] || asked.host, port: Number(match[3]) } };
}
