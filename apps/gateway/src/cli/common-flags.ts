import { defaultAdmin } from "./admin-client.ts";
import type { Flags } from "./command.ts";

/** Which policy file, for commands that need one. */
export const configFlag = {
  config: {
    type: "string",
    short: "c",
    default: "signalbox.yaml",
    value: "FILE",
    meaning: "The policy file.",
  },
} as const satisfies Flags;

/** For commands that speak to a running gateway. */
export const adminFlags = {
  admin: {
    type: "string",
    default: defaultAdmin,
    value: "URL",
    meaning: "The admin listener of the gateway, with or without `http://`.",
  },
  "token-file": {
    type: "string",
    value: "FILE",
    meaning: "A file with the token for it; that of the variable `SIGNALBOX_ADMIN_TOKEN` unless given.",
  },
} as const satisfies Flags;

/** For commands that put together what several gateways know. */
export const adminsFlag = {
  admin: {
    type: "string",
    multiple: true,
    value: "URL",
    meaning: `The admin listener of a gateway, \`${defaultAdmin}\` unless given; may be given again, for each replica.`,
  },
  "token-file": adminFlags["token-file"],
} as const satisfies Flags;

/** The listeners to be asked. */
export const adminsOf = (given: readonly string[] | undefined): readonly string[] => given ?? [defaultAdmin];

/** For commands that print tables. */
export const jsonFlag = {
  json: { type: "boolean", default: false, meaning: "Prints JSON, for programs." },
} as const satisfies Flags;
