import { parseArgs } from "node:util";
import { host, writeJson } from "../harness.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { linesOf } from "./report.ts";
import { runLimits } from "./run.ts";

const usage =
  "usage: pnpm limits [--seconds 60] [--replicas 4] [--store redis|memory] [--fault kill|freeze] [--seed 1] [--json FILE]";

function oneOf<Word extends string>(name: string, words: readonly Word[], text: string): Word {
  const word = words.find((one) => one === text);
  if (word === undefined) throw new Error(`--${name} is ${words.join(" or ")}`);
  return word;
}

function wholeNumber(name: string, least: number, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < least) throw new Error(`--${name} is a whole number of at least ${least}`);
  return number;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: "string", default: "60" },
        replicas: { type: "string" },
        store: { type: "string", default: "redis" },
        fault: { type: "string", default: "kill" },
        seed: { type: "string", default: "1" },
        json: { type: "string" },
      },
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const store = oneOf("store", ["redis", "memory"], values.store);
    return {
      store,
      fault: oneOf("fault", ["kill", "freeze"], values.fault),
      // Replicas that do not share do not count as one.
      replicas: wholeNumber("replicas", 1, values.replicas ?? (store === "redis" ? "4" : "1")),
      seconds: wholeNumber("seconds", 5, values.seconds),
      seed: wholeNumber("seed", 0, values.seed),
      json: values.json,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

const { json, ...options } = readOptions();
console.log(`limits, ${options.store} store, seed ${options.seed}, on ${host()}, Node ${process.version}`);
const figures: Figures = figuresOf(await runLimits({ ...options, say: console.log }));
for (const line of linesOf(figures)) console.log(line);
writeJson(json, { ...figures, ...options });
process.exit(figures.missed.length === 0 ? 0 : 1);
