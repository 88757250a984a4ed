/** What the adapter's bench feeds: prose, replies with calls, and texts that are made to be slow. */

const sentences = [
  "The gateway reads each reply once and hands on what it can at once.",
  "A question like this has no short answer, but there is a useful way to think about it.",
  "First, look at how the pieces fit; then measure, and only then change something.",
  "If a < b and b < c, then a < c: that much is certain for numbers, though not for opinions.",
  "Use `array.at(-1)` for the last element, or [the manual](https://example.org/manual) for the rest.",
  "In 1998 the whole thing cost $12,500 (about 40% more than planned), and nobody minded.",
  "- the first point is about memory",
  "- the second one is about time",
  "Finally, it works for other languages: für Äpfel, naïve cafés and so on.",
];

/** Markdown as models write it: paragraphs, lists, a little code. */
export function prose(length: number): string {
  let text = "";
  for (let at = 0; text.length < length; at++)
    text += sentences[at % sentences.length] + (at % 4 === 3 ? "\n\n" : at % 9 > 5 ? "\n" : " ");
  return flat(text.slice(0, length));
}

/** Sentences with a call after each few of them, as `minimax_m2` writes it. */
export function callHeavy(length: number): string {
  const call =
    '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n<parameter name="days">3</parameter>\n</invoke>\n</minimax:tool_call>\n';
  return flat(`I look that up for you.\n${call}`.repeat(Math.ceil(length / 160)).slice(0, length));
}

interface Attack {
  readonly name: string;
  /** Comes once, in front. */
  readonly head?: string;
  /** Comes again and again. */
  readonly unit: string;
}

/** Texts that cost much more than their length where a parser looks back, tries again, or copies. */
export const attacks: readonly Attack[] = [
  { name: '"<"', unit: "<" },
  { name: '"<|"', unit: "<|" },
  { name: '"["', unit: "[" },
  { name: '"{"', unit: "{" },
  { name: '"]"', unit: "]" },
  { name: '"`"', unit: "`" },
  { name: '"` "', unit: "` " },
  { name: '"```\\n"', unit: "```\n" },
  { name: "spaces", unit: " " },
  { name: "newlines", unit: "\n" },
  { name: "spaces behind a word", head: "Word", unit: " " },
  { name: "<think>", unit: "<think>" },
  { name: "</think>", unit: "</think>" },
  { name: "<tool_call>", unit: "<tool_call>" },
  { name: "<tool_call> in lines", unit: "<tool_call>\n" },
  { name: "<minimax:tool_call>", unit: "<minimax:tool_call>" },
  { name: "<minimax:tool", unit: "<minimax:tool" },
  { name: "]<]minimax[>[", unit: "]<]minimax[>[" },
  { name: "<invoke name=", unit: "<invoke name=" },
  { name: "<function=", unit: "<function=" },
  { name: "[get_weather(", unit: "[get_weather(" },
  { name: "functools[", unit: "functools[" },
  { name: "[TOOL_CALLS]", unit: "[TOOL_CALLS]" },
  { name: "<|start|>", unit: "<|start|>" },
  { name: "[e~[", unit: "[e~[" },
  { name: '<tool_call>{"name"', unit: '<tool_call>{"name"' },
  { name: "spaces in a call", head: "[TOOL_CALL]{tool", unit: " " },
  { name: "fence never closed", head: "```json\n", unit: "<tool_call>\n" },
  {
    name: "JSON call never closed",
    head: '<tool_call>{"name": "exec", "arguments": {"cmd": "',
    unit: "ls -l {a} </tool_call> ",
  },
  {
    name: "XML value never closed",
    head: '<minimax:tool_call>\n<invoke name="exec">\n<parameter name="cmd">',
    unit: "ls -l <a> & ",
  },
  {
    name: "</parameter> in a value",
    head: '<minimax:tool_call>\n<invoke name="exec">\n<parameter name="cmd">',
    unit: "</parameter>",
  },
  {
    name: "</function> in a value",
    head: "<tool_call>\n<function=exec>\n<parameter=cmd>\n",
    unit: "</function>",
  },
  { name: "Python string never closed", head: '[get_weather(city="', unit: "a'b\\\"c " },
  { name: "bare JSON string never closed", head: '{"name": "exec", "arguments": {"cmd": "', unit: "ls {}[] " },
  { name: "thought never closed", head: "<think>", unit: "a <b> </thin " },
];

/** The text of an attack. */
export function attackText({ head = "", unit }: Attack, length: number): string {
  return flat(head + unit.repeat(Math.ceil((length - head.length) / unit.length)));
}

/** The same text in one piece of memory, as it is when it was read from a socket. */
function flat(text: string): string {
  // Text with a character beyond Latin-1 takes two bytes each, as it does when it was decoded.
  return /^[\0-\xff]*$/.test(text)
    ? Buffer.from(text, "latin1").toString("latin1")
    : Buffer.from(text, "utf16le").toString("utf16le");
}

/** A text in pieces, as deltas bring it. */
export function piecesOf(text: string, length: number): string[] {
  if (length >= text.length) return [text];
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += length) pieces.push(flat(text.slice(at, at + length)));
  return pieces;
}
