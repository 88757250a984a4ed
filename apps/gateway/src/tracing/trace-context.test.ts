import { expect, test } from "vitest";
import { readTraceContext, traceparentOf } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const header = `00-${traceId}-${parentId}-01`;

test("a client's trace is read, and its flag", () => {
  expect(readTraceContext(header, undefined)).toEqual({ traceId, parentId, sampled: true, state: "", header });
  expect(readTraceContext(`00-${traceId}-${parentId}-00`, undefined)?.sampled).toBe(false);
  expect(traceparentOf(traceId, parentId, true)).toBe(header);
});

test("only the sampled flag is passed on, in the form of version 00", () => {
  expect(readTraceContext(`cc-${traceId}-${parentId}-ff-more.to-come`, undefined)?.header).toBe(header);
});

test.each([
  ["no header", undefined],
  ["nothing", ""],
  ["the forbidden version", `ff-${traceId}-${parentId}-01`],
  ["more behind version 00", `${header}-more`],
  ["a later version that goes on without a dash", `cc-${traceId}-${parentId}-01.more`],
  ["an id of zeros", `00-${"0".repeat(32)}-${parentId}-01`],
  ["a span of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
  ["capitals", header.toUpperCase()],
  ["a short id", `00-${traceId.slice(1)}-${parentId}-01`],
  ["two headers that were joined", `${header}, ${header}`],
  ["a line break", `${header}\r\nx-evil: 1`],
])("%s is no trace", (_what, text) => {
  expect(readTraceContext(text, "vendor=1")).toBe(undefined);
});

test.each([
  ["vendor=1,other@system=a b", "vendor=1,other@system=a b"],
  [" vendor=1 , other=2 ,", "vendor=1,other=2"],
  ["Vendor=1", ""],
  ["vendor", ""],
  ["vendor=a\u0001", ""],
  [`vendor=${"x".repeat(257)}`, ""],
  [Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(","), ""],
  [Array.from({ length: 32 }, (_, i) => `key${i}=${"v".repeat(12)}`).join(","), ""],
])("of the state %s is kept %s", (text, kept) => {
  expect(readTraceContext(header, text)?.state).toBe(kept);
});
