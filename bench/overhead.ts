import { bareProxy, type Contender, nginx, signalbox, teamKey } from "./contenders.ts";
import { cpuOf, printFigures, readOptions, runBench, startContenders, writeJson } from "./harness.ts";
import { interleave, median, ratioOf, verdict } from "./rounds.ts";

const limits = { ratio: 1.6 };
const connections = 32;
const contenders: readonly Contender[] = [bareProxy, nginx, signalbox];

const options = readOptions();
const requestsPerRound = options.quick ? 20_000 : 40_000;

await runBench(
  "CPU per request",
  async (harness) => {
    const running = await startContenders(harness, contenders);
    const names = [...running.keys()];
    const ask = (name: Contender["name"], count: number) =>
      harness.load({ do: "requests", port: running.get(name)!.port, key: teamKey, connections, count });

    console.log(`${connections} connections, ${requestsPerRound} requests a round, CPU microseconds per request:`);
    for (const name of names) await ask(name, requestsPerRound);
    const figures = await interleave(options.rounds, names, async (name) => {
      const cpu = await cpuOf(running.get(name)!, () => ask(name, requestsPerRound));
      return cpu / requestsPerRound;
    });
    await running.get("signalbox")!.verify?.(requestsPerRound * (options.rounds + 1));

    printFigures("CPU us per request", contenders, figures);
    const ratio = ratioOf(figures.signalbox, figures.bare);
    console.log(verdict("ratio", ratio, limits.ratio));
    writeJson(options.json, {
      ratio,
      bare_us: median(figures.bare),
      signalbox_us: median(figures.signalbox),
      nginx_us: running.has("nginx") ? median(figures.nginx) : null,
      rounds: figures,
    });
    for (const contender of running.values()) await contender.stop();
    if (options.gate && ratio > limits.ratio) process.exitCode = 1;
  },
  { awake: options.awake },
);
