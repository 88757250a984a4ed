import { describe, expect, test } from "vitest";
import { withoutSpace } from "./continuation-request.ts";
import { type BrokenReply, continuationRules, type UnsafeReason, unsafeToContinue } from "./continuation-safety.ts";

const text = "The answer is forty-two, and";
const content = (said: string) => [{ kind: "content", text: said } as const];
const members = { model: "m", messages: [{ role: "user", content: "?" }], stream: true };

function reasonOf(more: Partial<BrokenReply> = {}): UnsafeReason | undefined {
  return unsafeToContinue({ members, sent: content(text), held: false, tokens: 8, tellsUsage: false, ...more });
}
const asked = (more: object, rest: Partial<BrokenReply> = {}) =>
  reasonOf({ members: { ...members, ...more }, ...rest });

/** For each rule, replies that it is there for. */
const refused: Record<UnsafeReason, readonly (UnsafeReason | undefined)[]> = {
  reasoning: [reasonOf({ sent: [{ kind: "reasoning", text: "Hm" }, ...content(text)] })],
  no_text: [reasonOf({ sent: [] }), reasonOf({ sent: content(" \n") })],
  held_back: [reasonOf({ held: true })],
  replacement_character: [reasonOf({ sent: content(`${text} \ufffd`) })],
  like_a_mark: ["end", "|", "im_end", "s> ", "<|end_of_text"].map((said) => reasonOf({ sent: content(said) })),
  marks: [
    "<think>",
    "</think>",
    "<|im_end|>",
    "<｜end▁of▁sentence｜>",
    "</s>",
    "<end_of_turn>",
    "[INST]",
    "◁think▷",
  ].map((mark) => reasonOf({ sent: content(`A tag is written ${mark} and`) })),
  prefill: [
    asked({ messages: [{ role: "user" }, { role: "assistant", content: "So" }] }),
    asked({ continue_final_message: true }),
    asked({ add_generation_prompt: false }),
  ],
  several_choices: [asked({ n: 2 }), asked({ best_of: 3 }), asked({ use_beam_search: true })],
  form: [
    asked({ response_format: { type: "json_object" } }),
    asked({ guided_json: {} }),
    asked({ structured_outputs: { regex: "a" } }),
    asked({ regex: "a" }),
    asked({ ebnf: "a" }),
  ],
  forced_call: [asked({ tool_choice: "required" }), asked({ tool_choice: { type: "function" } })],
  penalty: [asked({ presence_penalty: 1 }), asked({ frequency_penalty: -1 }), asked({ repetition_penalty: 1.1 })],
  seed: [asked({ seed: 1 }), asked({ seed: 1, temperature: 0.1 })],
  member: [
    asked({ vllm_xargs: {} }),
    asked({ min_tokens: 5 }),
    asked({ logprobs: true }),
    asked({ echo: true }),
    asked({ skip_special_tokens: false }),
    asked({ something_new: 1 }),
  ],
  inside_stop: [asked({ stop: " and then" }), asked({ stop: ["x", "dot"] })],
  uncounted: [asked({ max_tokens: 100 }, { tokens: undefined }), reasonOf({ tokens: undefined, tellsUsage: true })],
  at_limit: [asked({ max_tokens: 8 }), asked({ max_completion_tokens: 3, max_tokens: 100 })],
};

describe("a reply is not continued where", () => {
  test.each(Object.entries(continuationRules).map(([name, { why }]) => [why, name as UnsafeReason] as const))(
    "%s",
    (_why, name) => {
      expect(refused[name].length).toBeGreaterThan(0);
      for (const reason of refused[name]) expect(reason).toBe(name);
    },
  );
});

test.each([
  ["nothing is asked but an answer", {}],
  [
    "what is asked is OpenAI's default",
    { n: 1, seed: null, presence_penalty: 0, logprobs: false, response_format: { type: "text" } },
  ],
  ["it is drawn from the text alone", { temperature: 0.7, top_p: 0.9, top_k: 5, min_p: 0.1, logit_bias: { 5: 1 } }],
  ["the most likely token is taken, whatever the seed", { seed: 1, temperature: 0 }],
  ["its limit leaves room", { max_tokens: 9 }],
  ["no stop text can have begun", { stop: ["forty", "\n\n"] }],
  ["tools are offered, and none was called", { tools: [{ type: "function" }], tool_choice: "auto" }],
])("a reply is continued where %s", (_what, more) => {
  expect(asked(more)).toBeUndefined();
});

test("a short text with a space in its midst is like no mark", () => {
  expect(reasonOf({ sent: content("1 2") })).toBeUndefined();
  expect(reasonOf({ sent: content("Donaudampfschifffahrtsgesellschaft") })).toBeUndefined();
});

test("tokens need no count where nobody asks for them", () => {
  expect(reasonOf({ tokens: undefined })).toBeUndefined();
});

test("all that Python and JavaScript take for whitespace is cut from a text's end", () => {
  expect(withoutSpace("a b\u0085\u001f\u00a0\ufeff \n")).toBe("a b");
  expect(withoutSpace(" \n")).toBe("");
});
