import { describe, expect, test } from "vitest";
import { Histogram } from "../histogram.ts";
import { type Family, labelTextOf, type Series } from "./family.ts";
import { formFor } from "./negotiate.ts";
import { protobufFormat } from "./protobuf-format.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { openMetricsText, prometheusText } from "./text-format.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const at = 1_700_000_000_250;
const series = (labels: Record<string, string>, one: Series["one"]): Series => ({
  labels,
  labelText: labelTextOf(labels),
  one,
});

function took(...values: readonly number[]): Histogram {
  const histogram = new Histogram([0.5, 1]);
  for (const value of values) histogram.observe(value);
  histogram.exemplars[1] = { traceId, value: 0.75, at };
  return histogram;
}

const families: readonly Family[] = [
  { name: "x_total", help: 'all "of" it', type: "counter", series: [series({ model: 'a"\\b\nc' }, { value: 3 })] },
  {
    name: "up",
    help: "is it",
    type: "gauge",
    series: [series({}, { value: Number.POSITIVE_INFINITY }), series({ a: "" }, { value: 0.5 })],
  },
  { name: "t_seconds", help: "time", type: "histogram", series: [series({ m: "l" }, took(0.25, 0.75, 4))] },
];

const histogramLines = (exemplar: string): string =>
  `t_seconds_bucket{m="l",le="0.5"} 1
t_seconds_bucket{m="l",le="1.0"} 2${exemplar}
t_seconds_bucket{m="l",le="+Inf"} 3
t_seconds_sum{m="l"} 5
t_seconds_count{m="l"} 3
`;

test("Prometheus' text escapes labels and tells no exemplar", () => {
  expect(prometheusText(families)).toBe(
    `# HELP x_total all "of" it
# TYPE x_total counter
x_total{model="a\\"\\\\b\\nc"} 3
# HELP up is it
# TYPE up gauge
up +Inf
up{a=""} 0.5
# HELP t_seconds time
# TYPE t_seconds histogram
${histogramLines("")}`,
  );
});

test("OpenMetrics names counters without their end, tells exemplars, and says where it ends", () => {
  expect(openMetricsText(families)).toBe(
    `# HELP x all \\"of\\" it
# TYPE x counter
x_total{model="a\\"\\\\b\\nc"} 3
# HELP up is it
# TYPE up gauge
up +Inf
up{a=""} 0.5
# HELP t_seconds time
# TYPE t_seconds histogram
${histogramLines(` # {trace_id="${traceId}"} 0.75 1700000000.25`)}# EOF
`,
  );
});

describe("protocol buffers", () => {
  const written = (write: (writer: ProtobufWriter) => void): string => {
    const writer = new ProtobufWriter();
    write(writer);
    return writer.bytes.toString("hex");
  };

  test("have the bytes of the encoding's own examples", () => {
    expect(written((writer) => writer.uint(1, 150))).toBe("089601");
    expect(written((writer) => writer.string(2, "testing"))).toBe("120774657374696e67");
    expect(written((writer) => writer.message(3, () => writer.uint(1, 150)))).toBe("1a03089601");
    expect(written((writer) => writer.sint(1, -2))).toBe("0803");
    expect(written((writer) => writer.sints(6, [-135, 1]))).toBe("32038d0202");
    expect(written((writer) => writer.double(1, 1))).toBe("09000000000000f03f");
  });

  test("a message of any length has its length before it", () => {
    for (const length of [0, 127, 128, 20_000, 200_000]) {
      const text = "a".repeat(length);
      const bytes = Buffer.from(
        written((writer) => writer.message(1, () => writer.message(2, () => writer.string(3, text)))),
        "hex",
      );
      expect(fieldsOf(fieldsOf(fieldsOf(bytes)[0]!.bytes!)[0]!.bytes!)[0]!.bytes!.toString()).toBe(text);
    }
  });

  test("tell what the text tells, and native buckets and exemplars beside it", () => {
    const [counter, gauge, histogram, ...more] = delimited(protobufFormat(families));
    expect(more).toEqual([]);
    expect([counter![0]!.bytes!.toString(), counter![2]!.number]).toEqual(["x_total", 0]);
    expect(gauge!.filter(({ field }) => field === 4)).toHaveLength(2);
    const metric = fieldsOf(histogram!.find(({ field }) => field === 4)!.bytes!);
    const told = fieldsOf(metric.find(({ field }) => field === 7)!.bytes!);
    const numbers = (field: number) => told.filter((one) => one.field === field).map(({ number }) => number);
    expect([numbers(1), numbers(2)]).toEqual([[3], [5]]);
    const buckets = told.filter(({ field }) => field === 3).map(({ bytes }) => fieldsOf(bytes!));
    expect(buckets.map((bucket) => bucket.slice(0, 2).map(({ number }) => number))).toEqual([
      [1, 0.5],
      [2, 1],
      [3, Number.POSITIVE_INFINITY],
    ]);
    expect(fieldsOf(fieldsOf(buckets[1]![2]!.bytes!)[0]!.bytes!)[1]!.bytes!.toString()).toBe(traceId);
    expect([numbers(5), numbers(7)]).toEqual([[6], [0]]);
    // 0.25, 0.75 and 4 are in the buckets -16, -3 and 16 of schema 3, each one apart: zigzag of the gaps, one of each.
    const spans = told.filter(({ field }) => field === 12).map(({ bytes }) => fieldsOf(bytes!));
    expect(spans.map((span) => span.map(({ number }) => number))).toEqual([
      [31, 1],
      [24, 1],
      [36, 1],
    ]);
    expect([...told.find(({ field }) => field === 13)!.bytes!]).toEqual([2, 0, 0]);
  });
});

describe("a scraper gets the form that it wants most", () => {
  const old = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  const native = `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,${old}`;
  test.each([
    [undefined, "text/plain"],
    ["*/*", "text/plain"],
    ["text/html", "text/plain"],
    ["text/plain", "text/plain"],
    [old, "application/openmetrics-text"],
    ["text/plain;q=0.9,application/openmetrics-text;q=0.3", "text/plain"],
    [native, "application/vnd.google.protobuf"],
    ["application/vnd.google.protobuf", "text/plain"],
  ])("%s: %s", (accept, type) => {
    expect(formFor(accept).contentType.split(";")[0]).toBe(type);
  });
});

interface Field {
  readonly field: number;
  readonly number?: number;
  readonly bytes?: Buffer;
}

/** Reads the fields of a message. */
function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  const place = { at: 0 };
  while (place.at < bytes.length) {
    const key = varint(bytes, place);
    const field = key >> 3;
    if ((key & 7) === 0) fields.push({ field, number: varint(bytes, place) });
    else if ((key & 7) === 1) {
      fields.push({ field, number: bytes.readDoubleLE(place.at) });
      place.at += 8;
    } else {
      const length = varint(bytes, place);
      fields.push({ field, bytes: bytes.subarray(place.at, place.at + length) });
      place.at += length;
    }
  }
  return fields;
}

function delimited(bytes: Buffer): Field[][] {
  const messages: Field[][] = [];
  const place = { at: 0 };
  while (place.at < bytes.length) {
    const length = varint(bytes, place);
    messages.push(fieldsOf(bytes.subarray(place.at, place.at + length)));
    place.at += length;
  }
  return messages;
}

function varint(bytes: Buffer, place: { at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[place.at++]!;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
}
