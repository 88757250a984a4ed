import type { RedisConfig } from "../config/config.ts";
import type { Address } from "../config/units.ts";
import { wordsOf } from "../runtime/words-of.ts";
import type { Script } from "../teams/scripts.ts";
import { Link } from "./link.ts";
import { redirection } from "./locate.ts";
import { openClient, type RedisClient } from "./redis-client.ts";
import { type Subscriber, Subscriptions } from "./subscriptions.ts";
import { within } from "./within.ts";

/** A word of a command. */
type Word = string | number | Buffer;

/** The way to the Redis that replicas share. It comes and goes by itself; nobody has to be told. */
export interface RedisConnection {
  /** What every key begins with: `{signalbox}:`. */
  readonly prefix: string;
  /** True when a command would be sent now. */
  readonly connected: boolean;
  /** `host:port` of the server that is talked to, or was last; undefined = none was found yet. */
  readonly address: string | undefined;
  /** Why there is no connection; undefined = nothing was wrong yet. */
  readonly trouble: string | undefined;
  /** Runs a script as `command` does; its text goes along only where Redis does not have it. */
  run(script: Pick<Script, "source" | "sha1">, keys: readonly string[], args: readonly Word[]): Promise<unknown>;
  /**
   * Sends a command, once and at once. Keys must begin with `prefix`. It waits for its answer as long as the connection
   * stands, unless `withinMs` is given.
   * @throws Error when there is no connection, it was lost, or Redis said no.
   */
  command(words: readonly [string, ...Word[]], options?: { readonly withinMs?: number }): Promise<unknown>;
  /** Hears what is published to a channel, on a connection of its own. Returns how to stop. */
  subscribe(channel: string, subscriber: Subscriber): () => void;
  /** Gives the connection up, which is silent, and makes another. */
  renew(why: string): void;
  close(): void;
}

/** Connects to the Redis of a config, from now on and for ever. Never throws, and never emits an error. */
export function createConnection(config: RedisConfig): RedisConnection {
  return new Connection(config);
}

/** Answers that say that this is not the server to talk to, or not any more. */
const WRONG_SERVER = /^(READONLY|MASTERDOWN) /;
/** A server that is the only one, and says so all the time, is not connected to anew all the time. */
const RENEW_EVERY_MS = 1000;

class Connection implements RedisConnection {
  readonly prefix: string;
  trouble: string | undefined;
  readonly #config: RedisConfig;
  readonly #link: Link;
  readonly #subscriptions: Subscriptions;
  #leftAt = Number.NEGATIVE_INFINITY;
  /** Where a slot is moving to: asked for the keys that are there already. */
  #asked: { readonly key: string; readonly client: Promise<RedisClient> } | undefined;

  constructor(config: RedisConfig) {
    this.prefix = `{${config.prefix}}:`;
    this.#config = config;
    this.#link = new Link({
      config,
      onOpen: () => {
        this.trouble = undefined;
      },
      onLost: (why) => {
        this.trouble = why;
      },
    });
    this.#subscriptions = new Subscriptions(config);
  }

  get connected(): boolean {
    return this.#link.client !== undefined;
  }

  get address(): string | undefined {
    const { address } = this.#link;
    return address && `${address.host}:${address.port}`;
  }

  async run(script: Pick<Script, "source" | "sha1">, keys: readonly string[], args: readonly Word[]): Promise<unknown> {
    try {
      return await this.#send("evalsha", [script.sha1, keys.length, ...keys, ...args]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return this.#send("eval", [script.source, keys.length, ...keys, ...args]);
    }
  }

  command([name, ...args]: readonly [string, ...Word[]], options?: { readonly withinMs?: number }): Promise<unknown> {
    const answer = this.#send(name, args);
    const ms = options?.withinMs;
    return ms === undefined ? answer : within(ms, answer, `${name}: no answer from Redis within ${ms} ms`);
  }

  subscribe(channel: string, subscriber: Subscriber): () => void {
    return this.#subscriptions.add(channel, subscriber);
  }

  renew(why: string): void {
    this.#link.renew(why);
  }

  close(): void {
    this.#link.close();
    this.#subscriptions.close();
    this.#forgetAsked();
  }

  async #send(name: string, args: readonly Word[]): Promise<unknown> {
    const { client, address } = this.#link;
    if (client === undefined) throw new Error(this.trouble ?? "Redis is not connected yet");
    try {
      return await client.call(name, ...args);
    } catch (error) {
      const message = wordsOf(error);
      const elsewhere = redirection(message, address!);
      if (elsewhere?.kind === "ASK") return this.#ask(elsewhere.address, name, args);
      // Who was moved was not run: whoever asked has long gone on when the other connection stands.
      const stale = this.#link.client === client;
      if (elsewhere !== undefined && stale) this.#link.renew(message, elsewhere.address);
      else if (WRONG_SERVER.test(message) && stale) this.#leave(message);
      throw error;
    }
  }

  /** A name may lead to another server by now, and Sentinels may know another master. */
  #leave(why: string): void {
    const now = performance.now();
    if (now < this.#leftAt + RENEW_EVERY_MS) return;
    this.#leftAt = now;
    this.#link.renew(why);
  }

  async #ask(address: Address, name: string, args: readonly Word[]): Promise<unknown> {
    const key = `${address.host}:${address.port}`;
    if (this.#asked?.key !== key) {
      this.#forgetAsked();
      this.#asked = { key, client: openClient({ config: this.#config, address }) };
    }
    const asked = this.#asked!;
    try {
      const client = await asked.client;
      // Both leave in one go: ASKING holds for the next command of its connection alone.
      const [, answer] = await Promise.all([client.call("asking"), client.call(name, ...args)]);
      return answer;
    } catch (error) {
      if (this.#asked === asked && !isReply(error)) this.#forgetAsked();
      throw error;
    }
  }

  #forgetAsked(): void {
    this.#asked?.client.then(
      (client) => client.disconnect(),
      () => {},
    );
    this.#asked = undefined;
  }
}

/** Redis answered, if with an error. */
const isReply = (error: unknown): boolean => error instanceof Error && error.name === "ReplyError";
