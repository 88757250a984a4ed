import { parseArgs } from "node:util";
import { machine, writeJson } from "../harness.ts";
import { table } from "../rounds.ts";
import { judge } from "./judge.ts";
import { priorityShares } from "./priorities.ts";
import { quietTeams } from "./quiet-teams.ts";

const usage = "usage: pnpm fairness [--quick] [--seed 1] [--json FILE]";

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        seed: { type: "string", default: "1" },
        json: { type: "string" },
      },
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const seed = Number(values.seed);
    if (!Number.isInteger(seed)) throw new Error("--seed is a whole number");
    return { ...values, seed };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

const { quick, seed, json } = readOptions();
console.log(`fairness${quick ? ", quick" : ""}, seed ${seed}, on ${machine()}, Node ${process.version}`);
const size = { rounds: quick ? 2 : 6, ms: quick ? 5000 : 12_000, seed, say: console.log };
console.log("nine quiet teams, alone and beside a flood");
const quiet = await quietTeams(size);
console.log("interactive and batch, both more than the pool can take");
const shares = await priorityShares({ ...size, rounds: 1 });
const rows = judge(quiet, shares);
const lines = rows.map(({ what, is, mustBe, ok }) => [what, is, mustBe, ok ? "PASS" : "FAIL"]);
console.log(`\n${table([["", "is", "must be", ""], ...lines])}\n`);
writeJson(json, { seed, quick, quiet, shares, ok: rows.every(({ ok }) => ok) });
process.exit(rows.every(({ ok }) => ok) ? 0 : 1);
