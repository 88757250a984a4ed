import { type ExecFileException, execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { repository } from "../../deploy/tools.ts";
import { commandExists } from "../processes.ts";
import { readImage } from "./image.ts";
import { makeNodeImage } from "./node-image.ts";
import type { Restricted, RestrictedOptions } from "./restricted.ts";

const IMAGE = "localhost/signalbox-verify";
const NODE_IMAGE = "docker.io/library/node:24-slim";
const BUILD_TIMEOUT_MS = 480_000;
/** Where the kernel has both versions of control groups, crun works with the first alone: it must not see the second. */
const HYBRID = "/sys/fs/cgroup/unified";
const withoutHybrid = ["unshare", "-m", "--propagation", "private", "sh", "-c", `umount ${HYBRID}; exec "$@"`, "sh"];

/** Why no container can be run on this machine; undefined = perhaps it can. */
export function whyNoContainer(): string | undefined {
  return commandExists("podman") ? undefined : "podman is missing (apt-get install podman)";
}

/** What a program ended with. */
interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs podman; never rejects. */
function podman(words: readonly string[], timeout = 60_000): Promise<Ended> {
  const [program = "", ...args] = [...(existsSync(HYBRID) ? withoutHybrid : []), "podman", ...words];
  return new Promise((resolve) => {
    execFile(program, args, { timeout, cwd: repository, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : ((error as ExecFileException).code as number | undefined);
      resolve({ code: typeof code === "number" ? code : -1, output: stdout.trim(), errors: stderr.trim() });
    });
  });
}

/** @throws Error with the last lines of what podman said. */
async function must(words: readonly string[], timeout?: number): Promise<string> {
  return sound(words, await podman(words, timeout)).output;
}

function sound(words: readonly string[], ended: Ended): Ended {
  if (ended.code === 0) return ended;
  throw new Error(`podman ${words[0]}: ${ended.errors.split("\n").slice(-3).join(" | ")}`);
}

/** An image that was built, and of what. */
export interface Built {
  readonly base: string;
  readonly megabytes: number;
  /** Without its base. */
  readonly ownMegabytes: number;
  /** Modules that Node took from the image as it had compiled them, to show its help. */
  readonly compiled: number;
}

/** Builds deploy/Dockerfile. Where no registry can be reached, on a base that is made of this machine's own files. */
export async function buildImage(): Promise<Built> {
  const isHere = (await podman(["image", "exists", NODE_IMAGE])).code === 0;
  const isPulled = isHere || (await podman(["pull", "--quiet", NODE_IMAGE], 60_000)).code === 0;
  const base = isPulled ? NODE_IMAGE : await makeNodeImage(must);
  const how = [
    "--pull=never",
    "--isolation=chroot",
    "--network=host",
    "--format=docker",
    `--build-arg=NODE_IMAGE=${base}`,
  ];
  await must(["build", ...how, "--file", "deploy/Dockerfile", "--tag", IMAGE, "."], BUILD_TIMEOUT_MS);
  const sizeOf = async (name: string) => Number(await must(["image", "inspect", name, "--format", "{{.Size}}"])) / 1e6;
  const [whole, under] = [await sizeOf(IMAGE), await sizeOf(base)];
  const { errors } = await run(["--rm", "--read-only", "--env=NODE_DEBUG_NATIVE=COMPILE_CACHE", IMAGE, "help"]);
  const compiled = errors.split("was accepted").length - 1;
  return { base, megabytes: Math.round(whole), ownMegabytes: Math.round(whole - under), compiled };
}

/** Who may not raise limits cannot give a container those that podman would. */
const lower = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];

/** `podman run`, if need be with lower limits than it would give; `before` is done between the two. */
async function run(words: readonly string[], before: () => Promise<unknown> = async () => {}): Promise<Ended> {
  const first = await podman(["run", ...words]);
  if (first.code === 0) return first;
  await before();
  return sound(["run"], await podman(["run", ...lower, ...words]));
}

/** Runs the built image as docs/deployment.md says, on this machine's network. */
export async function runInContainer({ configFolder, memoryBytes }: RestrictedOptions): Promise<Restricted> {
  const name = `signalbox-verify-${process.pid}`;
  const words = [
    ...["--name", name, "--network=host", "--read-only", "--read-only-tmpfs=false", `--memory=${memoryBytes}b`],
    ...["--cap-drop=all", "--security-opt=no-new-privileges", "--pids-limit=64"],
    ...["--volume", `${configFolder}:/etc/signalbox:ro`, IMAGE],
  ];
  await run(["--detach", ...words], () => podman(["rm", "--force", name]));
  const inspect = (what: string): Promise<string> => must(["inspect", name, "--format", `{{.State.${what}}}`]);
  const pid = Number(await inspect("Pid"));
  let isStopped = false;
  return {
    how: `podman, user ${readImage().user}`,
    memory: "podman --memory",
    pid,
    // Nothing can be run in a container that has ended: the next one asks in its place.
    health: async () => {
      const [program = "", ...args] = readImage().health;
      if (!isStopped) return (await podman(["exec", name, program, ...args])).code;
      return (await podman(["run", "--rm", ...lower, "--entrypoint", program, ...words.slice(2), ...args])).code;
    },
    async stop() {
      isStopped = true;
      await must(["stop", "--time", "40", name]);
      if ((await inspect("OOMKilled")) === "true") throw new Error("it was killed for taking too much memory");
      return Number(await inspect("ExitCode"));
    },
    remove: async () => void (await podman(["rm", "--force", name])),
  };
}
