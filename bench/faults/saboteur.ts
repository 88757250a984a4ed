// Loaded into a gateway's process by `--import`: faults that only its inside can have.
import { closeSync, openSync } from "node:fs";
import { ServerResponse } from "node:http";

const writeHead = ServerResponse.prototype.writeHead as (...given: unknown[]) => ServerResponse;
const thrown = new Set<string>();

// An answer with the id `throw-always` cannot be begun; one with `throw-once-...` can be at the second try.
ServerResponse.prototype.writeHead = function (this: ServerResponse, ...given: unknown[]) {
  const id = /throw-(always|once-\w+)/.exec(JSON.stringify(given))?.[0];
  if (id === "throw-always" || (id !== undefined && !thrown.has(id))) {
    thrown.add(id);
    throw new TypeError(`sabotaged ${id}`);
  }
  return writeHead.apply(this, given);
} as typeof ServerResponse.prototype.writeHead;

process.on("SIGUSR2", () => {
  void Promise.reject(new Error("sabotaged promise"));
  setTimeout(() => {
    throw new Error("sabotaged turn");
  });
});

// The disk is full: from now on standard output takes nothing.
process.on("SIGWINCH", () => {
  closeSync(1);
  openSync("/dev/full", "w");
});
