import { bareProxy, type Contender, nginx, signalbox, teamKey } from "./contenders.ts";
import { cpuOf, printFigures, readOptions, runBench, startContenders, writeJson } from "./harness.ts";
import { interleave, median, ratioOf, verdict } from "./rounds.ts";

/** By where the limits are counted: Redis has to be asked and told, which bare proxies have not. */
const ratios = { memory: 1.6, redis: 2 } as const;
/** How much dearer a request may be with traces of a tenth of them than without. */
const traceRatio = 1.15;
const connections = 32;

const { trace, ...options } = readOptions();
const limit = ratios[options.store];
const traced = trace === undefined ? [] : [signalbox({ ...options, trace })];
const contenders: readonly Contender[] = [
  bareProxy,
  ...(trace === undefined ? [nginx] : []),
  signalbox(options),
  ...traced,
];
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
    for (const contender of running.values()) await contender.verify?.(requestsPerRound * (options.rounds + 1));

    printFigures("CPU us per request", contenders, figures);
    const ratio = ratioOf(figures.signalbox, figures.bare);
    console.log(verdict("ratio", ratio, limit));
    const withTraces = trace === undefined ? null : ratioOf(figures.traced, figures.signalbox);
    if (withTraces !== null) console.log(verdict("with traces, to without", withTraces, traceRatio));
    writeJson(options.json, {
      ratio,
      store: options.store,
      bare_us: median(figures.bare),
      signalbox_us: median(figures.signalbox),
      nginx_us: running.has("nginx") ? median(figures.nginx) : null,
      trace: trace ?? null,
      traced_us: running.has("traced") ? median(figures.traced) : null,
      traced_ratio: withTraces,
      rounds: figures,
    });
    for (const contender of running.values()) await contender.stop();
    if (options.gate && (ratio > limit || (withTraces ?? 0) > traceRatio)) process.exitCode = 1;
  },
  { awake: options.awake },
);
