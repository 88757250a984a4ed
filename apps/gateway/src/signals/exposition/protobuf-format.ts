import { type Exemplar, Histogram } from "../histogram.ts";
import { NATIVE_SCHEMA, type NativeBuckets, ZERO_THRESHOLD } from "../native-buckets.ts";
import type { Family, Series } from "./family.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

export const PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

const types = { counter: 0, gauge: 1, histogram: 4 } as const;
/** The field of a Metric that has the value of each type. */
const valueFields = { counter: 3, gauge: 2, histogram: 7 } as const;

/** Prometheus' protobuf format (client_model's metrics.proto), each family behind its length: histograms are native, too. */
export function protobufFormat(families: Iterable<Family>): Buffer {
  const writer = new ProtobufWriter();
  for (const family of families) writer.delimited(() => writeFamily(writer, family));
  return writer.bytes;
}

function writeFamily(writer: ProtobufWriter, { name, help, type, series }: Family): void {
  writer.string(1, name);
  writer.string(2, help);
  writer.uint(3, types[type]);
  for (const one of series) writer.message(4, () => writeMetric(writer, type, one));
}

function writeMetric(writer: ProtobufWriter, type: Family["type"], { labels, one }: Series): void {
  writer.raw(pairsOf(labels));
  writer.message(valueFields[type], () => {
    if (one instanceof Histogram) writeHistogram(writer, one);
    else writer.double(1, one.value);
  });
}

/** Labels stay the same as long as their series. */
const knownPairs = new WeakMap<Series["labels"], Buffer>();

function pairsOf(labels: Series["labels"]): Buffer {
  let bytes = knownPairs.get(labels);
  if (bytes === undefined) {
    const writer = new ProtobufWriter(256);
    for (const [name, value] of Object.entries(labels)) writer.message(1, () => writePair(writer, name, value));
    bytes = Buffer.from(writer.bytes);
    knownPairs.set(labels, bytes);
  }
  return bytes;
}

function writePair(writer: ProtobufWriter, name: string, value: string): void {
  writer.string(1, name);
  writer.string(2, value);
}

function writeHistogram(writer: ProtobufWriter, { bounds, counts, sum, exemplars, native }: Histogram): void {
  writer.uint(
    1,
    counts.reduce((all, one) => all + one, 0),
  );
  writer.double(2, sum);
  let count = 0;
  counts.forEach((own, at) => {
    count += own;
    writer.message(3, () => {
      writer.uint(1, count);
      writer.double(2, bounds[at] ?? Number.POSITIVE_INFINITY);
      const exemplar = exemplars[at];
      if (exemplar !== undefined) writer.message(3, () => writeExemplar(writer, exemplar));
    });
  });
  if (native !== null) writeNative(writer, native);
}

function writeExemplar(writer: ProtobufWriter, { traceId, value, at }: Exemplar): void {
  writer.message(1, () => writePair(writer, "trace_id", traceId));
  writer.double(2, value);
  writer.message(3, () => {
    writer.uint(1, Math.floor(at / 1000));
    writer.uint(2, (at % 1000) * 1_000_000);
  });
}

/** Runs of filled buckets, each by its distance from the one before; counts as differences from the bucket before. */
function writeNative(writer: ProtobufWriter, native: NativeBuckets): void {
  writer.sint(5, NATIVE_SCHEMA);
  writer.double(6, ZERO_THRESHOLD);
  writer.uint(7, native.zeroCount);
  const runs = native.runs();
  let next = 0;
  for (const { index, counts } of runs) {
    writer.message(12, () => {
      writer.sint(1, index - next);
      writer.uint(2, counts.length);
    });
    next = index + counts.length;
  }
  const flat = runs.flatMap(({ counts }) => counts);
  const deltas = flat.map((count, at) => count - (flat[at - 1] ?? 0));
  if (deltas.length > 0) writer.sints(13, deltas);
}
