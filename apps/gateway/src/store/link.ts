import type { RedisConfig } from "../config/config.ts";
import type { Address } from "../config/units.ts";
import { wordsOf } from "../runtime/words-of.ts";
import { createLocator, type Locator } from "./locate.ts";
import { openClient, type RedisClient } from "./redis-client.ts";

/** Milliseconds before the second try; each further one waits twice as long, up to the most. */
const FIRST_WAIT_MS = 50;
const MOST_WAIT_MS = 1000;
/** How often those who know where our keys are are asked whether they still are there. */
const LOOK_EVERY_MS = 1000;

export interface LinkOptions {
  readonly config: RedisConfig;
  /** Told of each new connection before anybody else may use it. What it rejects with ends the connection. */
  readonly onOpen: (client: RedisClient) => Promise<void> | void;
  readonly onLost: (why: string) => void;
  readonly random?: () => number;
}

/** One connection to the server that has our keys, made anew whenever it is lost, for ever, ever more slowly. */
export class Link {
  /** Where the connection goes, or went last. */
  address: Address | undefined;
  /** Undefined = there is none now. */
  client: RedisClient | undefined;
  readonly #options: LinkOptions;
  readonly #locator: Locator;
  #tries = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #opening = false;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#locator = createLocator(options.config);
    this.#schedule(0);
    if (this.#locator.mayMove) this.#looking = setInterval(() => void this.#look(), LOOK_EVERY_MS);
  }

  /** Gives the connection up and looks for the server anew; at `address`, if given. */
  renew(why: string, address?: Address): void {
    if (address !== undefined) this.#locator.hint(address);
    const { client } = this;
    if (client === undefined) return;
    this.#lost(client, why);
    client.disconnect();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#looking);
    this.#locator.close();
    this.client?.disconnect();
    this.client = undefined;
  }

  async #look(): Promise<void> {
    const { client, address } = this;
    if (client === undefined) return;
    // Nobody who knows is no reason to leave a server that answers.
    const now = await this.#locator.locate().catch(() => address);
    if (now?.host === address?.host && now?.port === address?.port) return;
    if (this.client === client) this.renew(`the master is ${now?.host}:${now?.port} now`);
  }

  #schedule(ms: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#open(), ms);
  }

  async #open(): Promise<void> {
    if (this.#opening || this.#closed || this.client !== undefined) return;
    this.#opening = true;
    try {
      const client = await this.#connect();
      if (this.#closed) return client.disconnect();
      this.client = client;
      this.#tries = 0;
    } catch (error) {
      this.#options.onLost(wordsOf(error));
      this.#schedule(this.#waitMs());
    } finally {
      this.#opening = false;
    }
  }

  async #connect(): Promise<RedisClient> {
    const { config, onOpen } = this.#options;
    const address = await this.#locator.locate();
    this.address = address;
    const client = await openClient({ config, address });
    client.once("close", () => this.#lost(client, `${address.host}:${address.port}: the connection was closed`));
    try {
      if (config.topology === "sentinel") await checkRole(client);
      await onOpen(client);
      if (client.status !== "ready") throw new Error(`${address.host}:${address.port}: the connection was closed`);
      return client;
    } catch (error) {
      client.disconnect();
      throw error;
    }
  }

  #lost(client: RedisClient, why: string): void {
    if (this.client !== client || this.#closed) return;
    this.client = undefined;
    this.#options.onLost(why);
    this.#schedule(this.#waitMs());
  }

  /** Half of the wait is by chance, so that replicas that lost it together do not come back together. */
  #waitMs(): number {
    const { random = Math.random } = this.#options;
    const most = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#tries++, 10));
    return most * (0.5 + random() / 2);
  }
}

/** A Sentinel may not know yet that its master is none any more. */
async function checkRole(client: RedisClient): Promise<void> {
  const [role] = (await client.call("role")) as [string];
  if (role !== "master") throw new Error(`the Sentinels' master is a ${role}`);
}
