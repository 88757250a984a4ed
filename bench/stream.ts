import { extraEvents } from "./answers.ts";
import { barePipe, type Contender, nginx, type RunningContender, signalbox, teamKey } from "./contenders.ts";
import { cpuOf, type Harness, printFigures, readOptions, runBench, startContenders, writeJson } from "./harness.ts";
import { idleStreamKb } from "./idle-streams.ts";
import { type Figures, interleave, median, ratioOf, table, verdict } from "./rounds.ts";
import type { Pace } from "./upstream.ts";

const limits = { ratio: 1.3, idleStreamKb: 64 };
const streams = 40;
const idleStreams = 2_000;
const single: Pace = { everyMs: 10, eventsPerWrite: 1 };
const glued: Pace = { everyMs: 40, eventsPerWrite: 4 };
const contenders: readonly Contender[] = [barePipe, nginx, signalbox({ store: "memory" })];

const options = readOptions();
const tokensPerStream = options.quick ? 200 : 500;

type Running = ReadonlyMap<Contender["name"], RunningContender>;

/** CPU per event: streams of a few seconds, all open through the whole round. */
async function measureEvents(harness: Harness, running: Running, pace: Pace, rounds: number) {
  const read = (name: Contender["name"], tokens: number) =>
    harness.load({ do: "streams", port: running.get(name)!.port, key: teamKey, streams, tokens });
  const names = [...running.keys()];
  harness.pace(pace);
  const every = `${pace.eventsPerWrite} each ${pace.everyMs} ms`;
  console.log(`${streams} streams of ${tokensPerStream} tokens, ${every}, CPU microseconds per event:`);
  for (const name of names) await read(name, tokensPerStream / 2);
  const figures = await interleave(rounds, names, async (name) => {
    const cpu = await cpuOf(running.get(name)!, () => read(name, tokensPerStream));
    return cpu / (streams * (tokensPerStream + extraEvents));
  });
  printFigures("CPU us per event", contenders, figures);
  return figures;
}

async function measureAllIdle(
  harness: Harness,
  names: readonly Contender["name"][],
): Promise<Figures<Contender["name"]>> {
  console.log(`${idleStreams} open streams that wait for their next token, KiB of resident memory each:`);
  const present = contenders.filter(({ name }) => names.includes(name));
  const figures = await interleave(options.quick ? 1 : 3, names, async (name) =>
    idleStreamKb(harness, present.find((contender) => contender.name === name)!, idleStreams),
  );
  const rows = present.map(({ name, title }) => [title, median(figures[name]).toFixed(1)]);
  console.log(`\n${table([["KiB per idle stream", "median"], ...rows])}\n`);
  return figures;
}

await runBench("CPU per event of a stream", async (harness) => {
  const running = await startContenders(harness, contenders);
  const events = await measureEvents(harness, running, single, options.rounds);
  const gluedEvents = options.glued ? await measureEvents(harness, running, glued, options.rounds) : undefined;
  await running.get("signalbox")!.verify?.(streams * (options.rounds + 1));
  for (const contender of running.values()) await contender.stop();
  const idle = await measureAllIdle(harness, [...running.keys()]);

  const ratio = ratioOf(events.signalbox, events.bare);
  const idleKb = median(idle.signalbox!);
  console.log(verdict("ratio", ratio, limits.ratio));
  console.log(verdict("idle stream", idleKb, limits.idleStreamKb, " KiB"));
  if (gluedEvents !== undefined) {
    console.log(
      `      ratio with events four at a time ${ratioOf(gluedEvents.signalbox, gluedEvents.bare).toFixed(2)}`,
    );
  }
  const medianOf = (figures: Figures<Contender["name"]> | undefined, name: Contender["name"]) =>
    figures?.[name] === undefined ? null : median(figures[name]);
  writeJson(options.json, {
    ratio,
    bare_us: medianOf(events, "bare"),
    signalbox_us: medianOf(events, "signalbox"),
    nginx_us: medianOf(events, "nginx"),
    idle_stream_kb: idleKb,
    bare_idle_stream_kb: medianOf(idle, "bare"),
    nginx_idle_stream_kb: medianOf(idle, "nginx"),
    glued_ratio: gluedEvents === undefined ? null : ratioOf(gluedEvents.signalbox, gluedEvents.bare),
    glued_bare_us: medianOf(gluedEvents, "bare"),
    glued_signalbox_us: medianOf(gluedEvents, "signalbox"),
    rounds: { events, glued: gluedEvents ?? null, idle_kb: idle },
  });
  if (options.gate && (ratio > limits.ratio || idleKb > limits.idleStreamKb)) process.exitCode = 1;
});
