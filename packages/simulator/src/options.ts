import { z } from "zod";
import { ScriptRule } from "./script.ts";

const count = z.number().int().min(0);

/** What a simulator is started with; everything but `kind` has a default. */
export const SimulatorOptions = z.strictObject({
  kind: z.enum(["sglang", "vllm", "ollama", "foundry_local", "llama_cpp", "openai"]),
  /** 0 = any free port. */
  port: count.max(65535).default(0),
  host: z.string().default("127.0.0.1"),
  /** Names of the models it serves; the kind's own when empty. */
  models: z.array(z.string().min(1)).default([]),
  script: z.array(ScriptRule).default([]),
  /** Tokens per second of one stream; 0 = no pause between tokens. */
  tokensPerSecond: z.number().min(0).default(0),
  /** Milliseconds before the first token. */
  firstTokenMs: z.number().min(0).default(0),
  /** Requests worked on at once; the kind's own number when not given. */
  slots: count.min(1).optional(),
  /** Requests that may wait; 0 = none may. The kind's own number when not given. */
  queue: count.optional(),
  /** Milliseconds that loading a model takes. */
  loadMs: z.number().min(0).default(0),
  /** Tokens of context; the kind's own number when not given. */
  context: count.min(16).optional(),
  seed: z.number().int().default(1),
  /** Asked for as `Authorization: Bearer`. */
  apiKey: z.string().min(1).optional(),
  /** Started with a tool call parser; without one, calls stay in the text, and vLLM refuses `tool_choice: auto`. */
  toolParser: z.boolean().default(true),
});
export type SimulatorOptions = z.infer<typeof SimulatorOptions>;
export type SimulatorInput = z.input<typeof SimulatorOptions>;
