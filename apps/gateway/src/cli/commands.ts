import type { Command } from "./command.ts";
import { keys } from "./keys.ts";
import { serve } from "./serve.ts";
import { status } from "./status.ts";

/** Every command of `signalbox`, in the order that help shows them. */
export const commands = { serve, status, keys } satisfies Record<string, Command>;
