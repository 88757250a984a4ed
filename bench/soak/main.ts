import { parseArgs } from "node:util";
import { machine, writeJson } from "../harness.ts";
import { linesOf } from "./report.ts";
import { soak } from "./soak.ts";

const usage = "usage: pnpm soak [--requests 1000000] [--seed 1] [--json FILE] [--snapshots FOLDER]";

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        requests: { type: "string", default: "1000000" },
        seed: { type: "string", default: "1" },
        json: { type: "string" },
        snapshots: { type: "string" },
      },
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const [requests, seed] = [Number(values.requests), Number(values.seed)];
    if (!Number.isInteger(requests) || requests < 1000)
      throw new Error("--requests is a whole number of at least 1000");
    if (!Number.isInteger(seed)) throw new Error("--seed is a whole number");
    return { ...values, requests, seed };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

const { requests, seed, json, snapshots } = readOptions();
console.log(`soak of ${requests} requests, seed ${seed}, on ${machine()}, Node ${process.version}`);
const result = await soak({ requests, seed, snapshots, say: console.log });
for (const line of linesOf(result)) console.log(line);
writeJson(json, { ...result, seed });
process.exit(result.ok ? 0 : 1);
