import { advise } from "./advise.ts";
import { audit } from "./audit.ts";
import { backends } from "./backends.ts";
import { check } from "./check.ts";
import type { Command } from "./command.ts";
import { demo } from "./demo.ts";
import { dialect } from "./dialect.ts";
import { explain } from "./explain.ts";
import { health } from "./health.ts";
import { keys } from "./keys.ts";
import { recipe } from "./recipe.ts";
import { report } from "./report.ts";
import { scan } from "./scan.ts";
import { serve } from "./serve.ts";
import { status } from "./status.ts";
import { usage } from "./usage.ts";

/** Every command of `signalbox`, in the order that help shows them. */
export const commands = {
  serve,
  demo,
  scan,
  recipe,
  check,
  explain,
  dialect,
  status,
  health,
  usage,
  advise,
  report,
  backends,
  keys,
  audit,
} satisfies Record<string, Command>;
