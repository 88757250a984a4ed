import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";

/** A control group whose processes together have so much memory and no more: who takes more is killed. */
export interface MemoryLimit {
  /** In words: `cgroup v2`. */
  readonly how: string;
  /** A process that writes its id here is in the group, and its children are. */
  readonly procs: string;
  /** How many processes were killed since they took more. */
  kills(): number;
  /** Only when no process is left in it. */
  remove(): void;
}

/** Makes such a group; the reason in words where this machine does not let us. */
export function limitMemory(bytes: number): MemoryLimit | string {
  const isSecond = existsSync(join(ROOT, "cgroup.controllers"));
  const parent = isSecond ? ROOT : join(ROOT, "memory");
  const folder = join(parent, `signalbox-${process.pid}-${Date.now()}`);
  try {
    accessSync(parent, constants.W_OK);
    if (isSecond && !readFileSync(join(ROOT, "cgroup.subtree_control"), "utf8").includes("memory"))
      writeFileSync(join(ROOT, "cgroup.subtree_control"), "+memory");
    mkdirSync(folder);
  } catch (error) {
    return `no control group can be made here (${(error as Error).message})`;
  }
  try {
    writeFileSync(join(folder, isSecond ? "memory.max" : "memory.limit_in_bytes"), String(bytes));
  } catch (error) {
    rmdirSync(folder);
    return `no memory limit can be set here (${(error as Error).message})`;
  }
  const events = join(folder, isSecond ? "memory.events" : "memory.oom_control");
  return {
    how: isSecond ? "cgroup v2" : "cgroup v1",
    procs: join(folder, "cgroup.procs"),
    kills: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(events, "utf8"))?.[1] ?? 0),
    remove: () => rmdirSync(folder),
  };
}
