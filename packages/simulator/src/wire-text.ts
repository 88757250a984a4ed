import { STATUS_CODES } from "node:http";
import type { Choice, Reply, ResponseHead, ToolCall, Turn } from "./kind.ts";

/** `HTTP/1.1 200 OK` and a line end. */
export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
}

let dateSecond = 0;
let dateText = "";
/** The HTTP date of now, made anew once a second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** The extra headers as lines. */
export function extraLines(head: ResponseHead): string {
  if (head.extra === undefined) return "";
  let lines = "";
  for (const [name, value] of head.extra) lines += `${name}: ${value}\r\n`;
  return lines;
}

/** A JSON answer. */
export function jsonReply(status: number, value: unknown): Reply {
  return { status, body: JSON.stringify(value) };
}

/** JSON of a usage object in OpenAI's order. */
export function openAiUsage(turn: Turn): string {
  const total = turn.promptTokens + turn.completionTokens;
  return `{"prompt_tokens":${turn.promptTokens},"completion_tokens":${turn.completionTokens},"total_tokens":${total}}`;
}

/** Cuts an argument text into parts as a model's tokens would. */
export function argumentParts(call: ToolCall): string[] {
  return call.arguments.match(/[\s\S]{1,6}/gu) ?? [];
}

/** One metric of the Prometheus text format with its HELP and TYPE lines. */
export function metric(name: string, type: "gauge" | "counter", help: string, value: number, labels = ""): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}${labels} ${value}\n`;
}

/** A number as Python prints a float. */
export function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** JSON of each choice, joined. */
export function joinChoices(turn: Turn, write: (choice: Choice) => string): string {
  return turn.choices.map(write).join(",");
}
