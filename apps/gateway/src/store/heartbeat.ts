import { randomBytes } from "node:crypto";
import { createRedisKeys } from "../teams/redis-keys.ts";
import { type ScriptRunner, scripts } from "../teams/scripts.ts";

/** A replica that was not heard for so long does not count. */
const REPLICA_TTL_MS = 5000;

/** What one beat told. */
export interface Beat {
  /** The name of the data in Redis: another one than before, and what was counted there is gone. */
  readonly epoch: string;
  /** By Redis' clock, in milliseconds since 1970. */
  readonly time: number;
  /** Replicas that were heard of late, this one among them. */
  readonly live: number;
  /** The place of this one among them, from 0. */
  readonly rank: number;
  /** The others. */
  readonly others: readonly OtherReplica[];
}

interface OtherReplica {
  /** When it was heard last, by Redis' clock. */
  readonly heardAt: number;
  /** True = Redis knew then of all that it had admitted by itself. */
  readonly counted: boolean;
}

/** How replicas know of each other: each says that it is there, and hears who else is. */
export class Heartbeat {
  readonly #id = randomBytes(8).toString("base64url");
  readonly #runner: ScriptRunner;
  readonly #keys: readonly string[];

  constructor(runner: ScriptRunner, prefix: string) {
    this.#runner = runner;
    const { replicas, epoch } = createRedisKeys(prefix);
    this.#keys = [replicas, epoch];
  }

  /** What this replica goes by, and the key that has all replicas: for leaving. */
  get place(): { readonly key: string; readonly id: string } {
    return { key: this.#keys[0]!, id: this.#id };
  }

  /** `counted`: Redis knows of all that this replica admitted by itself. Rejects as the runner does. */
  async beat(counted: boolean): Promise<Beat> {
    const newEpoch = randomBytes(8).toString("base64url");
    const args = [this.#id, REPLICA_TTL_MS, counted ? 1 : 0, newEpoch];
    const answer = (await this.#runner.run(scripts.beat, this.#keys, args)) as [string, number, ...unknown[]];
    const [epoch, time, ...rest] = answer;
    const ids: string[] = [];
    const others: OtherReplica[] = [];
    for (let at = 0; at < rest.length; at += 3) {
      const id = String(rest[at]);
      ids.push(id);
      if (id !== this.#id) others.push({ heardAt: Number(rest[at + 1]), counted: rest[at + 2] === 1 });
    }
    return { epoch, time, live: ids.length, rank: ids.filter((id) => id < this.#id).length, others };
  }
}
