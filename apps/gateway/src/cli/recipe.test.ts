import { expect, test } from "vitest";
import { runCommand } from "../../../../tests/docs/run-command.ts";
import { loadConfig } from "../config/load.ts";
import { recipe as command } from "./recipe.ts";

const recipe = async (...args: string[]): Promise<string> => (await runCommand("recipe", ...args)).join("\n");

test("prints the command, and the policy that goes with it", async () => {
  const printed = await recipe("vllm", "--scenario", "light", "--model", "microsoft/Phi-3.5-mini-instruct");
  const [script = "", policy = ""] = printed.split("# The policy for it, signalbox.yaml:\n");
  expect(script).toContain("exec vllm serve microsoft/Phi-3.5-mini-instruct \\\n  --max-model-len 4096 \\\n");
  const loaded = await loadConfig(policy, { env: {}, fileName: "printed.yaml" });
  expect(loaded.ok).toBe(true);
});

test("prints one form alone, for a pipe", async () => {
  expect(await recipe("llama_cpp", "--form", "backends")).toMatch(
    /^# Qwen2\.5 0\.5B on llama\.cpp[\s\S]*\nversion: 1\n/,
  );
  expect(await recipe("sglang", "--gpus", "8", "--form", "kubernetes")).toContain("\nkind: StatefulSet\n");
});

test("lists what there is", async () => {
  expect(await recipe("--list")).toMatch(
    /^KIND +ENGINE +MODEL[\s\S]*\nsglang +SGLang +minimax-m2 +MiniMaxAI\/MiniMax-M2 +4, 8 +light, balanced\*, heavy\n/,
  );
});

test.each<[string[], string]>([
  [
    ["slgang"],
    "there is no recipe for «slgang»; did you mean «sglang»? (there are: sglang, vllm, ollama, foundry_local, llama_cpp)",
  ],
  [["vllm", "--model", "phi4-mini"], "vllm: there is no recipe for the model «phi4-mini»; did you mean «phi-4-mini»?"],
  [
    ["vllm", "--scenario", "hevy"],
    "vllm: there is no scenario «hevy»; did you mean «heavy»? (there are: light, balanced, heavy)",
  ],
  [["sglang", "--gpus", "2"], "sglang: there is no recipe for minimax-m2 on 2 GPUs (there are: 4, 8)"],
  [
    ["ollama", "--form", "comand"],
    "there is no form «comand»; did you mean «command»? (there are: command, compose, kubernetes, backends)",
  ],
  [["foundry_local", "--form", "compose"], "foundry_local: there is no image of it"],
  [[], "recipe takes one kind; --list shows them"],
])("%j is wrong, and the answer names what there is", async (args, message) => {
  await expect(command.run(args)).rejects.toThrow(message);
});
