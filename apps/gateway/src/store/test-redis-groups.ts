import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { findFreePort } from "../demo/free-port.ts";
import { startRedis, startSentinelProcess, type TestRedis } from "./test-redis.ts";

const HOST = "127.0.0.1";
const NAME = "limits";
/** Longer than a handshake may take. */
const MEET_AGAIN_MS = 3000;
const NODES = 3;
const SLOTS = 16_384;
const WITHIN_MS = 20_000;

/** A master with a replica and three Sentinels, all on the loopback. */
export interface TestSentinels {
  /** What the Sentinels call the master. */
  readonly name: string;
  /** `127.0.0.1:PORT` of each Sentinel. */
  readonly sentinels: readonly string[];
  readonly processes: readonly TestRedis[];
  /** Who the Sentinels say is the master. */
  master(): Promise<TestRedis>;
  /** Asks for a failover, and resolves with the new master when all Sentinels know it. The old one lives on as its replica. */
  failover(): Promise<TestRedis>;
  close(): Promise<void>;
}

/** Starts a master, its replica and three Sentinels, and waits until they know each other (some seconds). */
export async function startSentinel(): Promise<TestSentinels> {
  const first = await startRedis();
  const second = await startRedis({ args: ["--replicaof", HOST, String(first.port)] });
  const lines = [
    `sentinel monitor ${NAME} ${HOST} ${first.port} 2`,
    `sentinel down-after-milliseconds ${NAME} 500`,
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinelProcess(lines)));
  const servers = [first, second];
  const isComplete = async (sentinel: TestRedis): Promise<boolean> => {
    const state = fieldsOf(await once(sentinel, "sentinel", "master", NAME));
    return state["num-slaves"] === "1" && state["num-other-sentinels"] === "2";
  };
  await until(async () => (await Promise.all(sentinels.map(isComplete))).every(Boolean));
  await until(async () => /master_link_status:up/.test(String(await once(second, "info", "replication"))));
  const masterOf = async (sentinel: TestRedis): Promise<number> =>
    Number(((await once(sentinel, "sentinel", "get-master-addr-by-name", NAME)) as string[])[1]);
  return {
    name: NAME,
    sentinels: sentinels.map(({ port }) => `${HOST}:${port}`),
    processes: [...servers, ...sentinels],
    async master() {
      const port = await masterOf(sentinels[0]!);
      return servers.find((server) => server.port === port)!;
    },
    async failover() {
      const before = await masterOf(sentinels[0]!);
      await once(sentinels[0]!, "sentinel", "failover", NAME);
      await until(async () => (await Promise.all(sentinels.map(masterOf))).every((port) => port !== before));
      const next = servers.find(({ port }) => port !== before)!;
      await until(async () => ((await once(next, "role")) as string[])[0] === "master");
      return next;
    },
    async close() {
      await Promise.all([...sentinels, ...servers].map((server) => server.close()));
    },
  };
}

/** A Cluster of three masters without replicas, on the loopback. */
export interface TestCluster {
  readonly nodes: readonly TestRedis[];
  /** `127.0.0.1:PORT` of each node. */
  readonly addresses: readonly string[];
  /** The node that has a key. */
  ownerOf(key: string): Promise<TestRedis>;
  /** Moves a key's slot, with all its keys, to a node; `midway` runs while half of the keys are there. */
  moveSlot(key: string, to: TestRedis, midway?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** Starts three nodes that share all slots, and waits until each says that the Cluster is whole (some seconds). */
export async function startCluster(): Promise<TestCluster> {
  const nodes = await Promise.all(Array.from({ length: NODES }, startNode));
  const [first] = nodes as [Node, Node, Node];
  for (const [index, { server }] of nodes.entries()) {
    const [from, to] = [Math.ceil((index * SLOTS) / NODES), Math.ceil(((index + 1) * SLOTS) / NODES) - 1];
    await once(server, "cluster", "addslotsrange", from, to);
  }
  const knowsAll = async ({ server }: Node): Promise<boolean> =>
    new RegExp(`cluster_known_nodes:${NODES}`).test(String(await once(server, "cluster", "info")));
  const isWhole = async (node: Node): Promise<boolean> =>
    (await knowsAll(node)) && /cluster_state:ok/.test(String(await once(node.server, "cluster", "info")));
  let metAt = Number.NEGATIVE_INFINITY;
  await until(async () => {
    // On a busy machine a handshake may take longer than nodes remember that they began it.
    if (performance.now() > metAt + MEET_AGAIN_MS && !(await knowsAll(first))) {
      metAt = performance.now();
      for (const { server, bus } of nodes.slice(1)) await once(first.server, "cluster", "meet", HOST, server.port, bus);
    }
    return (await Promise.all(nodes.map(isWhole))).every(Boolean);
  });
  const servers = nodes.map(({ server }) => server);
  const ownerOf = async (key: string): Promise<TestRedis> => {
    const slot = Number(await once(first.server, "cluster", "keyslot", key));
    const ranges = (await once(first.server, "cluster", "slots")) as [number, number, [string, number]][];
    const [, , [, port]] = ranges.find(([from, to]) => from <= slot && slot <= to)!;
    return servers.find((server) => server.port === port)!;
  };
  return {
    nodes: servers,
    addresses: servers.map(({ port }) => `${HOST}:${port}`),
    ownerOf,
    async moveSlot(key, to, midway) {
      await moveSlot(servers, await ownerOf(key), to, key, midway);
    },
    async close() {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

interface Node {
  readonly server: TestRedis;
  /** Where the nodes talk among themselves. */
  readonly bus: number;
}

async function startNode(): Promise<Node> {
  const { port: bus } = await findFreePort(0);
  const args = ["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "1000"];
  return { server: await startRedis({ args }), bus };
}

/** As `redis-cli --cluster reshard` does it. */
async function moveSlot(
  all: readonly TestRedis[],
  from: TestRedis,
  to: TestRedis,
  key: string,
  midway: (() => Promise<void>) | undefined,
): Promise<void> {
  const slot = Number(await once(from, "cluster", "keyslot", key));
  const [source, target] = await Promise.all([from, to].map((node) => once(node, "cluster", "myid").then(String)));
  await once(to, "cluster", "setslot", slot, "importing", source!);
  await once(from, "cluster", "setslot", slot, "migrating", target!);
  const keys = (await once(from, "cluster", "getkeysinslot", slot, 10_000)) as string[];
  const migrate = async (some: readonly string[]): Promise<void> => {
    if (some.length > 0) await once(from, "migrate", HOST, to.port, "", 0, 5000, "replace", "keys", ...some);
  };
  const half = Math.ceil(keys.length / 2);
  await migrate(keys.slice(0, half));
  await midway?.();
  // Keys may have come meanwhile.
  for (;;) {
    const left = (await once(from, "cluster", "getkeysinslot", slot, 10_000)) as string[];
    if (left.length === 0) break;
    await migrate(left);
  }
  for (const node of [to, from, ...all.filter((other) => other !== to && other !== from)])
    await once(node, "cluster", "setslot", slot, "node", target!);
}

/** One command on a connection of its own. */
export async function once({ port }: TestRedis, name: string, ...args: (string | number)[]): Promise<unknown> {
  const client = new Redis({ host: HOST, port, lazyConnect: true, retryStrategy: null, enableReadyCheck: false });
  client.on("error", () => {});
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`it did not come about within ${WITHIN_MS} ms`);
    await sleep(50);
  }
}

/** Names and values by turns, as Redis lists them. */
function fieldsOf(answer: unknown): Record<string, string> {
  const words = answer as string[];
  return Object.fromEntries(words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1]!]] : [])));
}
