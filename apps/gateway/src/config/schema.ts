import { z } from "zod";
import { Backend } from "./backend-schema.ts";
import { Condition } from "./condition-schema.ts";
import { Defaults } from "./defaults-schema.ts";
import { modelName, plainName, section, text } from "./fields.ts";
import { ModelEntry } from "./model-schema.ts";
import { Server } from "./server-schema.ts";
import { StoreField } from "./store-schema.ts";
import { TeamEntry } from "./team-schema.ts";
import { TestEntry } from "./test-schema.ts";
import { UsageSection } from "./usage-schema.ts";

const RuleEntry = section({
  name: plainName("rule")
    .optional()
    .describe("Shown as the reason in `x-signalbox-route` and the log; `routing.N`, counted from 0, unless given."),
  when: Condition.optional().describe("All of these must hold; without it the rule always matches."),
  use: text().describe("The model to use."),
});

/** The policy file. Input is what YAML gives, output has numbers for all units and the defaults filled in. */
export const ConfigFile = section({
  version: z
    .literal(1, { error: "expected 1, the version of this file's form" })
    .describe("The version of this file's form."),
  server: Server.prefault({}).describe("Listeners and limits of the HTTP server."),
  store: StoreField.prefault("memory").describe(
    "Where limits are counted. `memory` is this process alone: each replica has its own count. `redis://[user[:password]@]host[:port][/database]`, or `rediss://` with TLS, is a Redis that all replicas share; the mapping below says more. A change takes a restart.",
  ),
  usage: UsageSection.optional().describe("Where it is written down what each request used."),
  backends: z.record(plainName("backend"), Backend).describe("The engines, by name."),
  models: z.record(modelName(), ModelEntry).describe("The models that clients and rules name."),
  routing: z
    .array(RuleEntry)
    .default([])
    .describe("What the model name `auto` means; the first rule that matches wins."),
  teams: z.record(plainName("team"), TeamEntry).optional().describe("Who may use it; without it no key is checked."),
  defaults: Defaults.prefault({}).describe("Settings of all requests."),
  tests: z
    .array(TestEntry)
    .default([])
    .describe("Requests with the model they must go to; `signalbox check` runs them."),
});
export type ConfigFile = z.infer<typeof ConfigFile>;
