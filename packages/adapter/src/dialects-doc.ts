import type { Dialect, Envelope } from "./dialect.ts";
import { dialects } from "./dialects.ts";

const preface = `# Dialects

A dialect is how a family of models writes its tool calls and its thoughts as text: which tags, which order, JSON or XML or
Python. Whatever the dialect, a client gets OpenAI's \`tool_calls\`, \`reasoning_content\` and \`content\`. What cannot be made a
call is content, as it came: nothing is lost, and nothing is invented.

This page is written by \`pnpm dialects\` from the dialects themselves.

## Which one to choose

\`auto\` knows them all, and is what a deployment has unless its \`dialect\` says otherwise. It fits most. Name the dialect of a
model (\`models.<name>.on[].dialect\`, see [configuration.md](configuration.md)) where one of these holds:

- Replies talk about tags of other models. A named dialect leaves those as text; \`auto\` makes calls of them.
- The model's own form is read otherwise by another dialect. A name decides; \`auto\` goes by the form.
- The dashboard of \`signalbox_tool_calls_total\` should tell models apart.

\`none\` looks for nothing. Names and aliases are those of vLLM, SGLang and Ollama, where they have one.

\`signalbox dialect detect FILE\` says which dialect a reply in a file is written in.

## Strong and weak envelopes

What opens a call is *strong* when it cannot be meant as text: a special token, a tag of the model's own. Inside, a call of any
name is passed on. It is *weak* when it may well be text: there, only the names that the request declares make calls, and JSON
without any tags only where the whole content is calls. A call in a code fence or in inline code is an example, unless the fence
is the whole answer. Requests without tools, or with \`tool_choice: none\`, have no calls extracted at all.

## What becomes of a call

| outcome | what happened |
|---|---|
| \`clean\` | the call came as the dialect is written, or as the engine had parsed it |
| \`leaked\` | the engine should have parsed it, and left it in the text |
| \`coerced\` | a value was cast to the type that the tool declares |
| \`repaired\` | closing tags, brackets, commas, quotes or ids were put right |
| \`failed\` | a call was begun, and could not be made one: its text is content |
| \`denied\` | the guard refused it ([guard.md](guard.md)) |

A call leaves when it is complete, in one piece. A reply that was cut (\`finish_reason: length\`) is never repaired.

## To add one

A dialect is one file in \`packages/adapter/src/dialects/\`, one line in \`packages/adapter/src/dialects.ts\`, and one file of
vectors in \`packages/adapter/vectors/\`: replies as the model writes them, and what must come of each. Most are made of forms
that are there already (JSON, XML, keys and values, Python calls) with other tags around them. \`pnpm vectors FILE\` plays the
vectors in every split; \`pnpm dialects\` writes this page anew.
`;

/** docs/dialects.md: all dialects, as their files describe them. */
export function dialectsDoc(): string {
  const rows = Object.entries(dialects).map(
    ([name, { title, models }]) => `| [\`${name}\`](#${name}) | ${title} | ${list(models)} |`,
  );
  const sections = Object.entries(dialects).map(([name, dialect]) => section(name, dialect));
  return `${preface}\n## All dialects\n\n| name | form | models |\n|---|---|---|\n${rows.join("\n")}\n\n${sections.join("\n")}`;
}

function section(name: string, dialect: Dialect): string {
  const { title, aliases, models, example, faults } = dialect;
  const parts = [
    `### \`${name}\``,
    `${title}. Models: ${list(models)}.${aliases.length > 0 ? ` Also called ${list(aliases.map(code))}.` : ""}`,
    example === "" ? "" : `\`\`\`text\n${example}\n\`\`\``,
    // What all of them have together is no news.
    name === "auto" ? "Everything that the dialects below look for." : openings(dialect),
    faults.length > 0
      ? `Known faults of engines:\n\n${faults.map((fault) => `- ${tagsAsCode(fault)}`).join("\n")}`
      : "",
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function openings({ envelopes, thinks }: Dialect): string {
  // Closing tags behind a block and tokens at a turn's end open nothing.
  const calls = envelopes.filter(
    ({ opens, where, always, about }) =>
      about !== undefined || (where !== "after" && !always && !opens.includes("```")),
  );
  const rows = [
    ["Strong", opensOf(calls.filter(({ weak }) => !weak))],
    ["Weak", opensOf(calls.filter(({ weak }) => weak))],
    ["Thoughts", thinks.map(({ open, close }) => `${code(open)} … ${code(close)}`).join(", ")],
  ].filter(([, text]) => text !== "");
  return rows.map(([label, text]) => `- ${label}: ${text}`).join("\n");
}

function opensOf(envelopes: readonly Envelope[]): string {
  const literals = envelopes.flatMap(({ opens, about }) => (about === undefined ? opens.map(code) : [about]));
  return [...new Set(literals)].join(", ");
}

function list(words: readonly string[]): string {
  return words.join(", ");
}

function code(text: string): string {
  return `\`${text.replaceAll("\n", "\\n")}\``;
}

/** Tags in prose would be taken for HTML. */
function tagsAsCode(text: string): string {
  return text.replaceAll(/<[^\s>]*>/g, (tag) => code(tag));
}
