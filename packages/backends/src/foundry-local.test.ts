import { describe, expect, test } from "vitest";
import { foundryLocal, loopbackAddresses } from "./foundry-local.ts";
import { foundryAliases } from "./foundry-model-id.ts";
import type { DiscoverTools, ListedModel } from "./kind.ts";
import { findListedModel } from "./model-listing.ts";
import { replay } from "./recording.ts";

const green = (url: string) => `🟢 Model management service is running on ${url}\nEP autoregistration status: done`;

/** Commands that print these texts (none = not installed), and Foundry Local on these bases. */
function tools(printed: Record<string, string>, bases: Record<string, string>, command?: readonly string[]) {
  const ran: string[] = [];
  const asked: string[] = [];
  const discoverTools: DiscoverTools = {
    run: async (argv) => {
      ran.push(argv.join(" "));
      const text = printed[argv.join(" ")];
      if (text === undefined) throw new Error(`spawn ${argv[0]} ENOENT`);
      return text;
    },
    get: async (url) => {
      asked.push(url);
      const { origin, pathname } = new URL(url);
      const engine = bases[origin];
      if (engine === undefined) throw new Error("connect ECONNREFUSED");
      return replay(engine)(pathname);
    },
    command,
  };
  return { discoverTools, ran, asked };
}

const service = "foundry_local-documented";

describe("finding the service again", () => {
  test.each([
    ["the address of its status page", green("http://127.0.0.1:52403/openai/status")],
    ["a sentence", "🟢 Service is Started on http://127.0.0.1:52403/, PID 17000!"],
    ["a sentence that ends there", "Service is already running on http://127.0.0.1:52403/."],
    ["colours", "\u001b[32mrunning on http://127.0.0.1:52403\u001b[0m"],
    ["JSON", '{"running":true,"webUrls":["http://127.0.0.1:52403"]}'],
  ])("reads %s", async (_what, text) => {
    const { discoverTools } = tools({ "foundry service status": text }, { "http://127.0.0.1:52403": service });
    expect(await foundryLocal.discover?.(discoverTools)).toBe("http://127.0.0.1:52403");
  });

  test("asks the newer command when the older one fails", async () => {
    const printed = { "foundry server status --output json": '{"webUrls":["http://localhost:5273"]}' };
    const { discoverTools, ran } = tools(printed, { "http://localhost:5273": service });
    expect(await foundryLocal.discover?.(discoverTools)).toBe("http://localhost:5273");
    expect(ran).toEqual(["foundry service status", "foundry server status --output json"]);
  });

  test("runs only the configured command where there is one", async () => {
    const { discoverTools, ran } = tools({ "my-status -q": green("http://127.0.0.1:7/") }, {}, ["my-status", "-q"]);
    expect(await foundryLocal.discover?.(discoverTools)).toBeUndefined();
    expect(ran).toEqual(["my-status -q"]);
  });

  test("passes over an address where nothing answers, or something that is not Foundry Local", async () => {
    const text = "was http://127.0.0.1:1/ and http://127.0.0.1:2/ now http://127.0.0.1:3/";
    const bases = { "http://127.0.0.1:2": "vllm-0.32.0", "http://127.0.0.1:3": "foundry_local-0.x-documented" };
    const { discoverTools } = tools({ "foundry service status": text }, bases);
    expect(await foundryLocal.discover?.(discoverTools)).toBe("http://127.0.0.1:3");
  });

  test("finds nothing when it does not run", async () => {
    const text = "🔴 Model management service is not running!\nTo start the service, run: foundry service start";
    const { discoverTools, asked } = tools({ "foundry service status": text }, {});
    expect(await foundryLocal.discover?.(discoverTools)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test("never asks an address that is not on this host's loopback", async () => {
    const text = [
      "http://10.0.0.5:72/ http://169.254.169.254:73/latest https://127.0.0.1:74/ http://127.0.0.1.evil.example:71/",
      "http://127.0.0.1:80@evil.example:81/ http://user:pass@127.0.0.1:82/ http://user@127.0.0.1:89/ http://localhost.evil.example:83/ http://[::2]:84/",
      "http://0.0.0.0:85/ http://evil.example:86/#127.0.0.1 ftp://127.0.0.1:87/ http://127.0.0.1/ http://:88/ http://",
    ].join("\n");
    const { discoverTools, asked } = tools({ "foundry service status": text }, {});
    expect(await foundryLocal.discover?.(discoverTools)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test("loopback is known in each of its forms, and the list is short", () => {
    expect(loopbackAddresses("http://127.8.0.1:1/x http://[::1]:2/ http://localhost:3 http://127.8.0.1:1/y")).toEqual([
      "http://127.8.0.1:1",
      "http://[::1]:2",
      "http://localhost:3",
    ]);
    const many = Array.from({ length: 1000 }, (_, index) => `http://127.0.0.1:${index + 1}/`).join(" ");
    expect(loopbackAddresses(many)).toHaveLength(8);
  });
});

describe("names of models", () => {
  test.each([
    ["qwen2.5-7b-instruct-generic-cpu:3", "qwen2.5-7b-instruct"],
    ["qwen2.5-7b-instruct-openvino-npu:2", "qwen2.5-7b"],
    ["Phi-4-mini-instruct-generic-gpu:5", "phi-4-mini"],
    ["qwen2.5-coder-0.5b-instruct-trtrtx-gpu:1", "qwen2.5-coder-0.5b"],
    ["phi-4-cuda-gpu:1", "phi-4"],
    ["my-own-model", "my-own-model"],
  ])("%s is meant by %s", (id, name) => {
    expect([id, ...foundryAliases(id)]).toContain(name);
  });

  test("an id goes before another model's alias", () => {
    const models: readonly ListedModel[] = [
      { id: "other", aliases: ["phi-4"], loaded: true },
      { id: "phi-4", loaded: false },
    ];
    expect(findListedModel(models, "phi-4")?.id).toBe("phi-4");
    expect(findListedModel(models, "PHI-4")?.id).toBe("other");
  });

  test("an id is not its own alias", () => {
    for (const id of ["my-own-model", "phi-4-cuda-gpu", "a:1", ":3"]) expect(foundryAliases(id)).not.toContain(id);
  });

  test("an alias means the variant that is loaded, and an id only itself", async () => {
    const found = await foundryLocal.probe(replay(service));
    const models: readonly ListedModel[] = found.status === "ready" ? (found.models ?? []) : [];
    expect(findListedModel(models, "phi-4-mini")?.id).toBe("Phi-4-mini-instruct-generic-cpu:5");
    expect(findListedModel(models, "Qwen2.5-7B-Instruct")?.id).toBe("qwen2.5-7b-instruct-cuda-gpu:3");
    expect(findListedModel(models, "qwen2.5-7b-instruct-generic-cpu:3")?.loaded).toBe(false);
    expect(findListedModel(models, "phi-4")).toMatchObject({ id: "phi-4-cuda-gpu:1", loaded: false });
    expect(findListedModel(models, "phi")).toBeUndefined();
  });
});
