import { bareProxy, type Contender, nginx, signalbox, teamKey } from "./contenders.ts";
import { cpuOf, printFigures, readOptions, runBench, startContenders, writeJson } from "./harness.ts";
import { interleave, median, ratioOf, verdict } from "./rounds.ts";

/** By where the limits are counted: Redis has to be asked and told, which bare proxies have not. */
const ratios = { memory: 1.6, redis: 2 } as const;
const connections = 32;

const options = readOptions();
const limit = ratios[options.store];
const contenders: readonly Contender[] = [bareProxy, nginx, signalbox(options)];
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
    console.log(verdict("ratio", ratio, limit));
    writeJson(options.json, {
      ratio,
      store: options.store,
      bare_us: median(figures.bare),
      signalbox_us: median(figures.signalbox),
      nginx_us: running.has("nginx") ? median(figures.nginx) : null,
      rounds: figures,
    });
    for (const contender of running.values()) await contender.stop();
    if (options.gate && ratio > limit) process.exitCode = 1;
  },
  { awake: options.awake },
);
