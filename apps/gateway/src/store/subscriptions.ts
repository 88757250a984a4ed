import type { RedisConfig } from "../config/config.ts";
import { Link } from "./link.ts";
import type { RedisClient } from "./redis-client.ts";

/** Who hears a channel. What is published while there is no connection is not heard. */
export interface Subscriber {
  onMessage(message: string): void;
  /** The channel is heard from now on, for the first time or again: what was missed can be read now. */
  onHeard?(): void;
}

/** How often a connection that may be silent for hours is asked whether it still stands, and how long it may take to say so. */
const PING_EVERY_MS = 5000;
const PONG_WITHIN_MS = 2000;

/** Channels that are heard whenever there is a connection, which is made when the first is wanted. */
export class Subscriptions {
  readonly #config: RedisConfig;
  readonly #byChannel = new Map<string, Set<Subscriber>>();
  #link: Link | undefined;
  /** The connection that channels are heard on, or will be. */
  #client: RedisClient | undefined;
  #pinging: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(config: RedisConfig) {
    this.#config = config;
  }

  /** Returns how to stop. */
  add(channel: string, subscriber: Subscriber): () => void {
    let subscribers = this.#byChannel.get(channel);
    if (subscribers === undefined) {
      subscribers = new Set();
      this.#byChannel.set(channel, subscribers);
    }
    subscribers.add(subscriber);
    this.#start();
    if (this.#client !== undefined) void this.#hear(this.#client, channel).catch(() => {});
    return () => {
      subscribers.delete(subscriber);
      if (subscribers.size > 0 || this.#byChannel.get(channel) !== subscribers) return;
      this.#byChannel.delete(channel);
      this.#link?.client?.unsubscribe(channel).catch(() => {});
    };
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#pinging);
    this.#link?.close();
  }

  #start(): void {
    if (this.#link !== undefined || this.#closed) return;
    this.#link = new Link({ config: this.#config, onOpen: (client) => this.#opened(client), onLost: () => {} });
    this.#pinging = setInterval(() => this.#ping(), PING_EVERY_MS);
  }

  async #opened(client: RedisClient): Promise<void> {
    this.#client = client;
    client.on("message", (channel: string, message: string) => {
      for (const subscriber of this.#byChannel.get(channel) ?? []) subscriber.onMessage(message);
    });
    for (const channel of this.#byChannel.keys()) await this.#hear(client, channel);
  }

  async #hear(client: RedisClient, channel: string): Promise<void> {
    await client.subscribe(channel);
    for (const subscriber of this.#byChannel.get(channel) ?? []) subscriber.onHeard?.();
  }

  #ping(): void {
    const link = this.#link;
    const client = link?.client;
    if (client === undefined) return;
    const late = setTimeout(() => {
      if (link?.client === client) link.renew("the subscriptions' connection is silent");
    }, PONG_WITHIN_MS);
    client
      .ping()
      .catch(() => {})
      .finally(() => clearTimeout(late));
  }
}
