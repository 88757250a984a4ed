import { parseArgs } from "node:util";
import { adviseOn } from "../advice/advise.ts";
import { mergeHistories } from "../advice/load-history.ts";
import { AdminError, createAdminClient, readAdminToken } from "./admin-client.ts";
import { adviceText } from "./advice-text.ts";
import type { Command } from "./command.ts";
import { adminsFlag, adminsOf, jsonFlag } from "./common-flags.ts";

const flags = { ...adminsFlag, ...jsonFlag };

/** `signalbox advise`: how many backends the load wants. */
export const advise: Command = {
  summary: "say how many backends of which model are missing or spare, and by what numbers",
  usage: "advise [--admin URL]... [--token-file FILE] [--json]",
  flags,
  exits: { 0: "there are enough, or some are spare", 1: "some are missing or down, or no gateway answers" },
  async run(args) {
    const { values } = parseArgs({ args, options: flags });
    const token = await readAdminToken(values["token-file"]);
    try {
      const asked = adminsOf(values.admin).map((admin) => createAdminClient(admin, token).advice());
      const history = mergeHistories((await Promise.all(asked)).map((report) => report.history));
      const advice = adviseOn(history);
      console.log(
        values.json ? JSON.stringify({ advice, history }, null, 2) : adviceText(advice, history.scaling).trimEnd(),
      );
      return advice.some(({ state }) => state === "add" || state === "bring_back") ? 1 : 0;
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      console.error(error.message);
      return 1;
    }
  },
};
