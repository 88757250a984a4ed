import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { repository } from "../../deploy/tools.ts";
import { commandExists } from "../processes.ts";
import { type Image, readImage } from "./image.ts";
import { limitMemory, type MemoryLimit } from "./memory-limit.ts";
import type { Restricted, RestrictedOptions } from "./restricted.ts";

const NODE = "/node/bin/node";
const isRoot = process.getuid?.() === 0;

/** Why no sandbox can be made on this machine; undefined = it can. */
export function whyNoSandbox(): string | undefined {
  if (!commandExists("bwrap")) return "bubblewrap is missing (apt-get install bubblewrap)";
  try {
    execFileSync("bwrap", [...sandboxOf(readImage(), "/usr"), "/usr/bin/true"], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `bubblewrap cannot work here: ${String((error as { stderr?: Buffer }).stderr).trim()}`;
  }
}

/** Runs the image's start command in a sandbox that is laid out like the image, with the sources of this checkout. */
export async function runInSandbox({ configFolder, memoryBytes }: RestrictedOptions): Promise<Restricted> {
  const image = readImage();
  const limit = limitMemory(memoryBytes);
  const before = sandboxOf(image, configFolder);
  const start = (command: readonly string[], stdio: "inherit" | "ignore"): ChildProcess => {
    const words = ["bwrap", "--json-status-fd", "3", ...before, ...command];
    const inGroup = ["sh", "-c", `echo $$ > "$0" && exec "$@"`, procsOf(limit), ...words];
    const [program = "", ...args] = typeof limit === "string" ? words : inGroup;
    return spawn(program, args, { stdio: ["ignore", "ignore", stdio, "pipe"] });
  };
  const child = start(image.start, "inherit");
  const exited = once(child, "exit").then(([code]) => (code as number | null) ?? -1);
  const pid = await pidIn(child);
  return {
    how: `bubblewrap, ${isRoot ? `user ${image.user}` : "the user who runs this, in a user namespace"}`,
    memory: typeof limit === "string" ? `none: ${limit}` : limit.how,
    pid,
    health: async () => ((await once(start(image.health, "ignore"), "exit"))[0] as number | null) ?? -1,
    async stop() {
      process.kill(pid, "SIGTERM");
      const code = await exited;
      if (typeof limit !== "string" && limit.kills() > 0) throw new Error("it was killed for taking too much memory");
      return code;
    },
    async remove() {
      child.kill("SIGKILL");
      await exited;
      if (typeof limit !== "string") limit.remove();
    },
  };
}

const procsOf = (limit: MemoryLimit | string): string => (typeof limit === "string" ? "" : limit.procs);

/** The words of bubblewrap, and of what takes the last rights away, that stand before a command. */
function sandboxOf({ user, group, env }: Image, configFolder: string): string[] {
  const bind = (from: string, to = from): string[] => (existsSync(from) ? ["--ro-bind", from, to] : []);
  const root = [
    "--cap-drop",
    "ALL",
    ...["SETUID", "SETGID", "SETPCAP"].flatMap((each) => ["--cap-add", `CAP_${each}`]),
  ];
  const ids = ["--unshare-user", "--uid", String(user), "--gid", String(group)];
  const rights = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"];
  const setpriv = ["setpriv", `--reuid=${user}`, `--regid=${group}`, "--clear-groups", ...rights];
  const variables = { ...env, PATH: `${dirname(NODE)}:/usr/bin:/bin`, HOME: "/" };
  // What bubblewrap makes on the way to a place, root alone may enter.
  const folders = ["/etc", "/sys", "/sys/fs", dirname(dirname(NODE)), dirname(NODE)];
  return [
    ...folders.flatMap((each) => ["--perms", "0755", "--dir", each]),
    ...["/usr", "/bin", "/lib", "/lib64", "/etc/ssl", "/sys/fs/cgroup"].flatMap((each) => bind(each)),
    ...bind(repository, "/app"),
    ...bind(process.execPath, NODE),
    ...bind(configFolder, "/etc/signalbox"),
    ...["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--remount-ro", "/"],
    ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--die-with-parent", "--new-session"],
    ...[
      "--chdir",
      "/app",
      "--clearenv",
      ...Object.entries(variables).flatMap(([name, value]) => ["--setenv", name, value]),
    ],
    ...(isRoot ? [...root, ...setpriv] : ids),
  ];
}

/** What bubblewrap writes on its third descriptor when the command has begun; it goes on writing there until it ends. */
function pidIn(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    const pipe = child.stdio[3] as Readable;
    pipe.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const pid = /"child-pid": (\d+)/.exec(text)?.[1];
      if (pid !== undefined) resolve(Number(pid));
    });
    pipe.on("end", () => reject(new Error(`bubblewrap began nothing: ${text}`)));
  });
}
