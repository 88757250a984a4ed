import { parseArgs } from "node:util";
import { host, writeJson } from "../harness.ts";
import { buildImage, runInContainer, whyNoContainer } from "./container.ts";
import type { Finding } from "./finding.ts";
import { checkChart, checkCompose, checkKustomize, checkUnit } from "./manifests.ts";
import { restrictedRun } from "./restricted-run.ts";
import { runInSandbox, whyNoSandbox } from "./sandbox.ts";

const usage = "usage: pnpm deploy:verify [--requests 1000] [--no-image] [--json FILE]";

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        requests: { type: "string", default: "1000" },
        "no-image": { type: "boolean", default: false },
        json: { type: "string" },
      },
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const requests = Number(values.requests);
    if (!Number.isInteger(requests) || requests < 1) throw new Error("--requests is a whole number of at least 1");
    return { requests, json: values.json, withImage: !values["no-image"] };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

const { requests, json, withImage } = readOptions();
const findings: Finding[] = [];
const words = (ok: boolean | undefined): string => (ok === undefined ? "skipped" : ok ? "ok" : "FAILED");

function tell(found: readonly Finding[]): void {
  for (const { what, ok, seen } of found) console.log(`  ${words(ok).padEnd(8)}${what.padEnd(64)} ${seen}`);
  findings.push(...found);
}

/** The image, built and run. Where that cannot be done the sandbox has to show it: then it is no failure. */
async function checkImage(): Promise<readonly Finding[]> {
  const what = "deploy/Dockerfile, built and run by podman";
  const missing = whyNoContainer();
  if (missing !== undefined) return [{ what, ok: undefined, seen: missing }];
  try {
    const { base, megabytes, ownMegabytes, compiled } = await buildImage();
    const seen = `${megabytes} MB, of which ${ownMegabytes} MB on top of ${base}`;
    const modules = {
      what: "modules are in the image as Node compiled them",
      ok: compiled > 100,
      seen: String(compiled),
    };
    return [{ what, ok: true, seen }, modules, ...(await restrictedRun(runInContainer, requests))];
  } catch (error) {
    return [{ what, ok: undefined, seen: (error as Error).message }];
  }
}

async function checkSandbox(): Promise<readonly Finding[]> {
  const missing = whyNoSandbox();
  const what = "the image's start command in a sandbox";
  return missing === undefined ? restrictedRun(runInSandbox, requests) : [{ what, ok: undefined, seen: missing }];
}

console.log(`deploy/ on ${host()}, Node ${process.version}\n`);
tell(await checkSandbox());
if (withImage) tell(await checkImage());
for (const check of [checkChart, checkKustomize, checkCompose, checkUnit]) tell(check());
const count = (wanted: boolean | undefined): number => findings.filter(({ ok }) => ok === wanted).length;
writeJson(json, { findings });
console.log(`\n${count(true)} passed, ${count(false)} failed, ${count(undefined)} skipped`);
process.exit(count(false) > 0 ? 1 : 0);
