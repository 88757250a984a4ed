import {
  dialectOf,
  type Outcome,
  type Play,
  playFile,
  type Split,
  splits,
  type Vector,
  type VectorFile,
} from "@signalbox/adapter/vectors";
import { type KindName, type ScriptRule, type SimulatorInput, simulatedKinds } from "@signalbox/simulator";
import { startTestGateway } from "../end-to-end/test-gateway.ts";
import { readStream, readWhole } from "./read-chat.ts";

const kinds = Object.keys(simulatedKinds) as KindName[];
/** Enough that both ends of the sockets have work. */
const AT_ONCE = 8;

/** What to ask for, so that an engine says a vector's input in one split. */
interface Line {
  readonly kind: KindName;
  readonly question: string;
  readonly stream: boolean;
}

/**
 * Plays each vector over real sockets: simulated engines of every kind say it, a gateway reads it, and a client compares.
 * Whole and in one delta from each kind; the other splits from one kind after the other. Prints the vectors that come out
 * wrong, and answers how many they are.
 */
export async function playThroughGateway(
  file: VectorFile,
  splitsOf: (input: string) => Iterable<Split> = otherSplits,
): Promise<number> {
  const cast = castLines(file.vectors, splitsOf);
  const gateway = await startTestGateway<KindName>({
    engines: Object.fromEntries(
      kinds.map((kind) => [kind, { kind, models: ["m"], slots: AT_ONCE, script: cast.rules[kind] }]),
    ) as unknown as Record<KindName, SimulatorInput>,
    yaml: (urls) => policyFor(file.vectors, urls),
  });
  const play: Play = async (vector, _tools, pieces) => {
    const { kind, question, stream } = cast.lines.get(pieces)!;
    const body = {
      model: modelName(vector, kind),
      messages: [{ role: "user", content: question }],
      stream,
      ...(vector.no_tools ? {} : { tools: file.tools }),
    };
    const response = await gateway.post("/v1/chat/completions", body);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`status ${response.status}: ${text}`);
    return stream ? readStream(text) : readWhole(text);
  };
  try {
    return await playFile(file, {
      play: complaining(play),
      splitsOf: (vector) => cast.splits.get(vector)!,
      atOnce: AT_ONCE,
    });
  } finally {
    await gateway.close();
  }
}

/** The same, with a complaint that names the split. */
function complaining(play: Play): Play {
  return async (vector, tools, pieces): Promise<Outcome> => {
    try {
      return await play(vector, tools, pieces);
    } catch (error) {
      throw new Error(`${JSON.stringify(pieces)}: ${error instanceof Error ? error.message : error}`);
    }
  };
}

/** All that the engines have to say, and how they are asked for it. */
interface Cast {
  readonly rules: Readonly<Record<KindName, ScriptRule[]>>;
  readonly splits: ReadonlyMap<Vector, readonly Split[]>;
  /** By the pieces of a split. */
  readonly lines: ReadonlyMap<readonly string[], Line>;
}

function castLines(vectors: readonly Vector[], splitsOf: (input: string) => Iterable<Split>): Cast {
  const rules = Object.fromEntries(kinds.map((kind) => [kind, [] as ScriptRule[]])) as Record<KindName, ScriptRule[]>;
  const lines = new Map<readonly string[], Line>();
  const all = new Map<Vector, readonly Split[]>();
  for (const [place, vector] of vectors.entries()) {
    const own: Split[] = [];
    const add = (name: string, pieces: readonly string[], kind: KindName, stream = true): void => {
      const question = `Say ${place}.${own.length}.`;
      own.push({ name: `${name}, said by ${kind}`, pieces });
      lines.set(pieces, { kind, question, stream });
      rules[kind].push({
        when: { contains: question },
        reply: { deltas: [...pieces], finish_reason: vector.upstream_finish },
        times: 1,
      });
    };
    for (const kind of kinds) add("whole", [vector.input], kind, false);
    for (const kind of kinds) add("in one delta", [vector.input], kind);
    for (const { name, pieces } of splitsOf(vector.input)) add(name, pieces, kinds[own.length % kinds.length]!);
    all.set(vector, own);
  }
  return { rules, splits: all, lines };
}

function* otherSplits(input: string): Generator<Split> {
  for (const split of splits(input, 1)) if (split.pieces.length !== 1) yield split;
}

const modelName = (vector: Vector, kind: KindName): string =>
  `${kind}/${dialectOf(vector)}${vector.reasoning_first ? "/reasoning-first" : ""}`;

/** One backend for each kind, and one model for each dialect on it. */
function policyFor(vectors: readonly Vector[], urls: Readonly<Record<KindName, string>>): string {
  const backends = kinds.map(
    (kind) => `  ${kind}: { kind: ${kind}, url: "${urls[kind]}", max_concurrent: ${AT_ONCE} }\n`,
  );
  const models = new Set(
    vectors.flatMap((vector) =>
      kinds.map((kind) => {
        const how = `dialect: ${dialectOf(vector)}, reasoning_first: ${vector.reasoning_first}`;
        return `  ${modelName(vector, kind)}: { on: [{ backend: ${kind}, model: m, ${how} }] }\n`;
      }),
    ),
  );
  return `backends:\n${backends.join("")}models:\n${[...models].join("")}`;
}
