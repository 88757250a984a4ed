import { parseArgs } from "node:util";
import { readAuditChain } from "../audit/audit-chain.ts";
import { type Command, type Flags, UsageError } from "./command.ts";

const flags = {
  expect: {
    type: "string",
    value: "HASH",
    meaning: "The hash of the last record, kept elsewhere: without it a file that lost its end looks whole.",
  },
} as const satisfies Flags;

/** `signalbox audit`: is an audit file as it was written? */
export const audit: Command = {
  summary: "check that nothing in an audit file was changed, taken out or cut off",
  usage: "audit verify FILE [--expect HASH]",
  flags,
  exits: { 0: "the file is as it was written", 1: "it is not; the first wrong line is named" },
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: flags,
    });
    const [action, file, ...rest] = positionals;
    if (action !== "verify" || rest.length > 0) throw new UsageError("audit knows one action: verify FILE");
    if (file === undefined) throw new UsageError("audit verify wants a file");
    if (values.expect !== undefined && !/^[0-9a-f]{64}$/i.test(values.expect))
      throw new UsageError("--expect wants the hash of the last record: 64 hex digits");
    return verify(file, values.expect?.toLowerCase());
  },
};

async function verify(file: string, expected: string | undefined): Promise<number> {
  const chain = await readAuditChain(file).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      `${file}: ${error.code === "ENOENT" ? "there is no such file" : `cannot be read (${error.code})`}`,
    );
  });
  const { broken, records, first, last, head, begunBehind, torn } = chain;
  if (broken !== undefined) {
    console.error(`${file}:${broken.line}: broken: ${broken.why}`);
    return 1;
  }
  const between = records === 0 ? "" : `, ${first} to ${last}`;
  if (expected !== undefined && head !== expected) {
    console.error(`${file}: the last record is another one: ${head}, of ${records} records${between}`);
    return 1;
  }
  console.log(`${file}: whole: ${records} records${between}`);
  if (begunBehind !== undefined) console.log(`begins behind ${begunBehind}`);
  if (torn > 0) console.log(`${torn} torn by a crash, each told of by the next line`);
  console.log(`head ${head}`);
  return 0;
}
