import type { Advice, AdviceNumbers } from "../advice/advise.ts";
import type { Scaling } from "../advice/load-history.ts";
import { textTable } from "./text-table.ts";

/** Advice for people: a table, and under it what each row rests on. */
export function adviceText(advice: readonly Advice[], scaling: Scaling): string {
  return [...textTable([head, ...advice.map(row)]), "", ...advice.flatMap((one) => restsOn(one, scaling))].join("\n");
}

const head = ["MODEL", "UP", "WANTED", "USE", "ADVICE"];

function row({ models, backends, up, wanted, say, numbers }: Advice): string[] {
  const use = numbers?.load_ratio ?? null;
  return [models.join(", "), `${up}/${backends.length}`, String(wanted ?? "-"), use === null ? "-" : percent(use), say];
}

function restsOn(advice: Advice, scaling: Scaling): string[] {
  const { models, backends, shared_with, by_hand, numbers } = advice;
  const lines = [`${models.join(", ")} on ${backends.join(", ")}`];
  if (shared_with.length > 0)
    lines.push(`  shares some of them with ${shared_with.join(", ")}: do not add the rows up`);
  if (by_hand.length > 0) lines.push(`  set by hand: ${by_hand.join(", ")}`);
  if (numbers !== null) lines.push(...numberLines(numbers, scaling));
  return [...lines, ""];
}

function numberLines(numbers: AdviceNumbers, scaling: Scaling): string[] {
  const { load, peak, sized_for, slots_per_backend, slots_from, from_others } = numbers;
  const others = from_others > 0 ? `, ${short(from_others)} of it by others` : "";
  const { requests_per_busy_second: requests, output_tokens_per_busy_second: tokens, kv_use } = numbers;
  const busy = [
    ...(requests === null ? [] : [`${short(requests)} requests/s`]),
    ...(tokens === null ? [] : [`${short(tokens)} output tokens/s`]),
    ...(kv_use === null ? [] : [`KV cache ${percent(kv_use)}`]),
  ];
  return [
    `  load ${short(load)} requests at once, peak ${short(peak)}${others}; sized for ${short(sized_for)}`,
    `  slots ${short(slots_per_backend)} each (${slots_from}), to be used up to ${percent(scaling.target)}`,
    `  ${short(numbers.requests_per_second)} requests/s, ${numbers.service_seconds === null ? "-" : `${short(numbers.service_seconds)} s`} of work each; waiting ${short(numbers.queued)}${numbers.engine_queued === null ? "" : ` and ${short(numbers.engine_queued)} in the engines`}${numbers.queue_seconds === null ? "" : `, ${short(numbers.queue_seconds)} s each`}`,
    `  turned away for want of room ${numbers.turned_away}, refused by limits ${numbers.limited}`,
    ...(busy.length > 0 ? [`  a backend while busy: ${busy.join(", ")}`] : []),
  ];
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
/** Three digits are enough for anybody. */
const short = (value: number): string => String(Number(value.toPrecision(3)));
