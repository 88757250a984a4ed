import { createKey } from "../teams/keys.ts";
import { type Command, UsageError } from "./command.ts";

/** `signalbox keys create`: a new key for a team. */
export const keys: Command = {
  summary: "make a key for a team",
  usage: "keys create",
  async run([action, ...rest]) {
    if (action !== "create" || rest.length > 0) throw new UsageError("keys knows one action: create");
    const { key, hash } = createKey();
    console.log(`key:  ${key}`);
    console.log(`hash: ${hash}`);
    console.error(
      "\nThe key is shown once: give it to the team. The hash goes into the config, under teams.NAME.keys.",
    );
    return 0;
  },
};
