import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadConfig } from "../config/load.ts";
import { recipe as command } from "./recipe.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

function recipe(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, "recipe", ...args], { encoding: "utf8" });
}

test("prints the command, and the policy that goes with it", async () => {
  const { status, stdout } = recipe("vllm", "--scenario", "light", "--model", "microsoft/Phi-3.5-mini-instruct");
  expect(status).toBe(0);
  const [script = "", policy = ""] = stdout.split("# The policy for it, signalbox.yaml:\n");
  expect(script).toContain("exec vllm serve microsoft/Phi-3.5-mini-instruct \\\n  --max-model-len 4096 \\\n");
  const loaded = await loadConfig(policy, { env: {}, fileName: "printed.yaml" });
  expect(loaded.ok).toBe(true);
});

test("prints one form alone, for a pipe", () => {
  expect(recipe("llama_cpp", "--form", "backends").stdout).toMatch(
    /^# Qwen2\.5 0\.5B on llama\.cpp[\s\S]*\nversion: 1\n/,
  );
  expect(recipe("sglang", "--gpus", "8", "--form", "kubernetes").stdout).toContain("\nkind: StatefulSet\n");
});

test("what there is no recipe for ends with 1 and prints nothing", () => {
  const { status, stdout, stderr } = recipe("slgang");
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^signalbox: there is no recipe/);
});

test("lists what there is", () => {
  expect(recipe("--list").stdout).toMatch(
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
