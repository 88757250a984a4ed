import { type BackendKind, kinds } from "@signalbox/backends";
import type { DraftBackend, DraftModel, PolicyDraft } from "./compose-policy.ts";
import type { OtherServer } from "./scan-engines.ts";

export interface RenderOptions {
  readonly listen?: string;
  readonly admin?: string;
  /** Said in comments at the top. */
  readonly others?: readonly OtherServer[];
}

/** The draft as a commented policy file, valid as it is when there is at least one model in it. */
export function renderPolicy(draft: PolicyDraft, options: RenderOptions = {}): string {
  const { listen = "127.0.0.1:8080", admin = "127.0.0.1:9090", others = [] } = options;
  const lines = [
    "# yaml-language-server: $schema=./signalbox.schema.json",
    "# Written by `signalbox scan` from the engines that answered. Names and sizes are guesses: read it before you use it.",
    "# `signalbox check` checks it, `signalbox explain` says where a request would go, `signalbox serve` runs it.",
    ...others.map(({ address, what }) => comment(`not taken: ${address} ${what}`)),
    "version: 1",
    "",
    "server:",
    `  listen: ${text(listen)} # without teams and keys only this machine may connect`,
    `  admin: ${text(admin)} # /readyz, /metrics and /status`,
    "",
    "backends:",
    ...draft.backends.flatMap(renderBackend),
    "",
    "models:",
    ...draft.models.flatMap(renderModel),
    "",
    "# What the model name `auto` means: the first rule that matches. What is simple is judged by the whole conversation.",
    draft.rules.length === 0 ? "routing: []" : "routing:",
    ...draft.rules.map(({ name, when, use }) => {
      return `  - { name: ${name}, ${when === undefined ? "" : `when: ${when}, `}use: ${text(use)} }`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}

function renderBackend({ name, engine }: DraftBackend): string[] {
  const { kind, address, discovered, simulated, status, reason, version, models, slots } = engine;
  const traits: BackendKind = kinds[kind];
  const title = `${traits.title}${version === undefined ? "" : ` ${version}`}${simulated ? ", simulated" : ""}`;
  const state =
    status === "ready" ? (models.length === 0 ? ", with no model that answers now" : "") : `, ${status}: ${reason}`;
  return [
    `  ${comment(`${title}${discovered ? `, now at ${address}` : ""}${state}`)}`,
    `  ${name}:`,
    `    kind: ${kind}`,
    ...(traits.hosted === true ? ["    # hosted: false # say so if its answers are made on machines of yours"] : []),
    `    url: ${discovered ? "auto # its port changes at every start: it is found again" : text(address)}`,
    ...(slots === undefined
      ? []
      : [`    # max_concurrent: ${slots} # it works on so many at once; more would wait in its queue`]),
  ];
}

function renderModel(model: DraftModel): string[] {
  const { name, notes, on, aliases, context, embeddings, fallback } = model;
  const lines = [...notes.map((note) => `  ${comment(note)}`), `  ${text(name)}:`];
  if (on.length === 1) lines.push(`    on: [${deployment(on[0]!)}]`);
  else lines.push("    on:", ...on.map((one) => `      - ${deployment(one)}`));
  if (aliases.length > 0)
    lines.push(`    aliases: [${aliases.map(text).join(", ")}] # names that clients have already`);
  if (context === undefined) lines.push("    # context: 32k # tokens; the engine did not tell");
  else lines.push(`    context: ${context}`);
  if (embeddings) lines.push("    embeddings: true");
  else lines.push("    # tools: true # say so when it can call tools: requests with tools then go to such models only");
  if (fallback.length > 0) lines.push(`    fallback: [${fallback.map(text).join(", ")}]`);
  return lines;
}

function deployment({ backend, model }: { readonly backend: string; readonly model: string }): string {
  return `{ backend: ${backend}, model: ${text(model)} }`;
}

/** YAML takes JSON strings as they are. */
function text(value: string): string {
  if (/^[A-Za-z][\w.-]*$/.test(value) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(value)) return value;
  return JSON.stringify(value);
}

/** One line, whatever an engine calls itself. */
function comment(value: string): string {
  return `# ${value.replace(/[^\x20-\x7e]+/g, " ").slice(0, 200)}`;
}
