import { expect, test } from "vitest";
import { maxOf, readPrometheusText, sumOf } from "./prometheus-text.ts";
import { readRecording } from "./recording.ts";

const read = (page: string, ...names: string[]) => readPrometheusText(page, new Set(names));

test("reads names, labels and values, with or without labels and timestamps", () => {
  const page =
    '# HELP up x\n# TYPE up gauge\nup 1\nup{a="1", b="two"} 2.5 1700000000\r\n  up{} 3e2 # {id="x"} 1\nother 9';
  expect(read(page, "up")).toEqual([
    { name: "up", labels: new Map(), value: 1 },
    {
      name: "up",
      labels: new Map([
        ["a", "1"],
        ["b", "two"],
      ]),
      value: 2.5,
    },
    { name: "up", labels: new Map(), value: 300 },
  ]);
});

test("braces, commas, spaces and escapes inside a label belong to it", () => {
  const [sample] = read('up{a="x} 9, b=\\"y\\" \\\\ \\n",c="",} 4', "up");
  expect(sample).toEqual({
    name: "up",
    labels: new Map([
      ["a", 'x} 9, b="y" \\ \n'],
      ["c", ""],
    ]),
    value: 4,
  });
});

test("passes over what it cannot read", () => {
  const page = [
    "up",
    "up{",
    'up{a="1"',
    "up{a=1} 1",
    "up{a} 1",
    "up x",
    "up NaN",
    "up +Inf",
    "up_total 1",
    "{} 1",
    "",
    "up 5",
  ];
  expect(read(page.join("\n"), "up").map(({ value }) => value)).toEqual([5]);
});

test("a name is matched whole", () => {
  const page = readRecording("vllm-0.32.0/get_metrics.txt").body.toString("utf8");
  expect(read(page, "vllm:num_requests_waiting")).toHaveLength(1);
});

test("adds up engines, and takes the fullest", () => {
  const samples = read('run{engine="0"} 3\nrun{engine="1"} 4\nkv{engine="0"} 0.2\nkv{engine="1"} 0.9', "run", "kv");
  expect(sumOf(samples, "run")).toBe(7);
  expect(maxOf(samples, "kv")).toBe(0.9);
  expect(sumOf(samples, "none")).toBeUndefined();
  expect(maxOf(samples, "none")).toBeUndefined();
});

test("takes time in proportion to the page, whatever is on it", () => {
  const hostile = [
    `up{${'a="'.repeat(300_000)}`,
    `up{a="${"\\".repeat(1_000_000)}`,
    `up{${",".repeat(1_000_000)}`,
    "up{\n".repeat(250_000),
  ];
  const begun = process.cpuUsage();
  for (const page of hostile) expect(read(page, "up")).toEqual([]);
  const { user } = process.cpuUsage(begun);
  // 4 MB in all; a quadratic reader needs minutes.
  expect(user / 1000).toBeLessThan(3000);
});
