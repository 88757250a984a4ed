import { execFile } from "node:child_process";
import {
  type BackendKindName,
  backendKindNames,
  type Get,
  type GetResponse,
  kinds,
  type ListedModel,
  recogniseKind,
} from "@signalbox/backends";
import { createMemoGet } from "./memo-get.ts";

/** Where engines are looked for besides the default port of every kind: second instances, and what guides choose. */
const commonPorts = [8000, 8001, 8080, 8081, 1234];
const SCAN_TIMEOUT_MS = 1500;
/** Where somebody named the addresses there is something to wait for. */
const NAMED_TIMEOUT_MS = 5000;

/** An engine that answers. */
export interface FoundEngine {
  readonly kind: BackendKindName;
  /** Scheme, host and port. */
  readonly address: string;
  /** Its address changes at every start, and the kind finds it again by itself. */
  readonly discovered: boolean;
  /** It says of itself that it is simulated. */
  readonly simulated: boolean;
  readonly status: "ready" | "loading" | "down";
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
  readonly version: string | undefined;
  readonly models: readonly ListedModel[];
  /** Requests it works on at once, where it tells. */
  readonly slots: number | undefined;
}

/** Something answers there that is no engine, or none that can be used as it is. */
export interface OtherServer {
  readonly address: string;
  /** `wants a key`. */
  readonly what: string;
}

export interface ScanResult {
  readonly engines: readonly FoundEngine[];
  readonly others: readonly OtherServer[];
  /** Every address that was looked at. */
  readonly addresses: readonly string[];
}

export interface ScanOptions {
  /** Addresses to look at, such as `127.0.0.1:8000`; the usual ports of this host unless given. */
  readonly targets?: readonly string[];
  /** Milliseconds for the whole scan; 1.5 s unless given, and 5 s with targets. */
  readonly timeoutMs?: number;
}

/** The addresses that a scan of this host looks at. */
export function defaultTargets(): string[] {
  const ports = backendKindNames.map((name) => kinds[name].defaultPort).filter((port) => port !== undefined);
  return [...new Set([...ports, ...commonPorts])].map((port) => `http://127.0.0.1:${port}`);
}

/**
 * `127.0.0.1:8000` or `http://host:8000/` as `http://host:port`.
 * @throws Error when it is no address.
 */
export function targetAddress(text: string): string {
  const url = text.includes("://") ? text : `http://${text}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new Error(`«${text}» is not an address`);
  return new URL(url).origin;
}

/** Looks at all targets at once, GET only. What does not answer in time is not found. */
export async function scanEngines(options: ScanOptions = {}): Promise<ScanResult> {
  const usual = options.targets === undefined ? SCAN_TIMEOUT_MS : NAMED_TIMEOUT_MS;
  const signal = AbortSignal.timeout(options.timeoutMs ?? usual);
  const addresses = [...new Set((options.targets ?? defaultTargets()).map(targetAddress))];
  const discovered = options.targets === undefined ? discoverAddresses(signal) : Promise.resolve([]);
  const seen = await Promise.all(addresses.map((address) => look(address, signal)));
  const found = await discovered;
  const more = found.filter(({ address }) => !addresses.includes(address));
  const moreSeen = await Promise.all(more.map(({ address }) => look(address, signal)));
  const isDiscovered = new Set(found.map(({ address }) => address));
  const all = [...seen, ...moreSeen].filter((one) => one !== undefined);
  return {
    engines: all
      .filter((one) => "kind" in one)
      .map((engine) => ({ ...engine, discovered: isDiscovered.has(engine.address) })),
    others: all.filter((one) => "what" in one),
    addresses: [...addresses, ...more.map(({ address }) => address)],
  };
}

/** What is at an address; undefined when nothing answers. */
async function look(address: string, signal: AbortSignal): Promise<FoundEngine | OtherServer | undefined> {
  const get = createMemoGet((path) => getUrl(address + path, signal));
  let listing: GetResponse;
  try {
    listing = await get("/v1/models");
  } catch {
    return signal.aborted ? { address, what: "takes connections, but did not answer in time" } : undefined;
  }
  if (isGateway(listing)) return { address, what: "is a Signalbox gateway" };
  const kind = await recogniseKind(get);
  if (kind === undefined) {
    const closed = listing.status === 401 || listing.status === 403;
    return { address, what: closed ? "wants a key: give it as api_key" : "answers, but is no engine that is known" };
  }
  const probe = await kinds[kind].probe(get);
  const ready = probe.status === "ready";
  return {
    kind,
    address,
    discovered: false,
    simulated: await isSimulated(get),
    status: probe.status,
    reason: ready ? "" : probe.reason,
    version: ready ? probe.version : undefined,
    models: ready ? usable(kind, probe.models ?? []) : [],
    slots: ready ? probe.load?.slots : undefined,
  };
}

/** Another gateway of ours would send requests round in a circle. */
function isGateway({ text }: GetResponse): boolean {
  try {
    const { data } = JSON.parse(text) as { data?: unknown };
    return Array.isArray(data) && data.some((row) => (row as { owned_by?: unknown } | null)?.owned_by === "signalbox");
  } catch {
    return false;
  }
}

async function isSimulated(get: Get): Promise<boolean> {
  const answer = await get("/_sim/stats").catch(() => undefined);
  return answer?.status === 200 && answer.text.includes('"faults"');
}

/** Models that answer a request now. Where loading is a command of its own, those that are not loaded do not. */
function usable(kind: BackendKindName, models: readonly ListedModel[]): readonly ListedModel[] {
  const loadsByCommand = kinds[kind].discover !== undefined;
  return loadsByCommand ? models.filter(({ loaded }) => loaded !== false) : models;
}

/** Addresses of the engines that have another port at every start, as their own commands tell. */
async function discoverAddresses(signal: AbortSignal): Promise<{ address: string }[]> {
  const run = ([file = "", ...args]: readonly string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      execFile(file, args, { signal, maxBuffer: 65_536 }, (error, stdout) => (error ? reject(error) : resolve(stdout)));
    });
  const found = await Promise.all(
    backendKindNames.map((name) =>
      kinds[name].discover?.({ run, get: (url) => getUrl(url, signal) }).catch(() => undefined),
    ),
  );
  return found.filter((address) => address !== undefined).map((address) => ({ address }));
}

const MAX_BODY_BYTES = 1024 * 1024;

async function getUrl(url: string, signal: AbortSignal): Promise<GetResponse> {
  const response = await fetch(url, { redirect: "manual", signal });
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > MAX_BODY_BYTES) throw new Error(`${url}: more than ${MAX_BODY_BYTES} bytes`);
  }
  return { status: response.status, headers: Object.fromEntries(response.headers), text };
}
