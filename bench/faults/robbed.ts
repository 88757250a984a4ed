import { readFileSync } from "node:fs";

/**
 * How long the main threads of these processes and of this one were ready to run since they began, while other programs had the
 * cores, in milliseconds. What is measured in a while is later by at most what this has grown. 0 where the kernel does not tell.
 */
export function robbedMs(...pids: readonly number[]): number {
  return [process.pid, ...pids].reduce((sum, pid) => sum + delayOf(pid), 0);
}

function delayOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}
