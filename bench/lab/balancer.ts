import { connect, createServer, type Server, type Socket } from "node:net";

/** A gateway behind a balancer. */
export interface Member {
  readonly port: number;
  readonly adminUrl: string;
}

const ASK_MS = 100;

/** A TCP load balancer as small as can be: each connection goes in turn to a member whose `/readyz` said yes when last asked. */
export class Balancer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #ready = new Map<Member, boolean>();
  readonly #asking: NodeJS.Timeout;
  #turn = 0;
  /** Connections for which nobody was ready. */
  turnedAway = 0;

  constructor() {
    this.#server = createServer({ noDelay: true }, (client) => this.#serve(client));
    this.#asking = setInterval(() => void this.#askAll(), ASK_MS);
  }

  /** Resolves with its port. */
  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as { port: number }).port;
  }

  /** Takes a member into the turn, as soon as it says that it is ready. */
  async add(member: Member): Promise<void> {
    this.#ready.set(member, false);
    await this.#ask(member);
  }

  remove(member: Member): void {
    this.#ready.delete(member);
  }

  close(): void {
    clearInterval(this.#asking);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  async #askAll(): Promise<void> {
    await Promise.all([...this.#ready.keys()].map((member) => this.#ask(member)));
  }

  async #ask(member: Member): Promise<void> {
    const answer = await fetch(`${member.adminUrl}/readyz`, { headers: { connection: "close" } }).catch(
      () => undefined,
    );
    await answer?.arrayBuffer().catch(() => {});
    if (this.#ready.has(member)) this.#ready.set(member, answer?.status === 200);
  }

  #serve(client: Socket): void {
    const ready = [...this.#ready].filter(([, isReady]) => isReady);
    const [member] = ready[this.#turn++ % ready.length] ?? [];
    if (member === undefined) {
      this.turnedAway++;
      client.destroy();
      return;
    }
    const server = connect({ port: member.port, host: "127.0.0.1", noDelay: true });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
