import { totalmem } from "node:os";

/** More would rather be another replica: an idle stream takes some tens of KiB. */
const MOST_SOCKETS = 16_384;
const LEAST_SOCKETS = 8;
/** Descriptors of the process itself, its files, probes, the admin listener, and what is just being closed. */
const OWN_DESCRIPTORS = 60;
/** A connection takes a descriptor, its request another one, to a backend, and every fourth is for one that is refused. */
const DESCRIPTORS_EACH = 2.25;
const MOST_DOORS = 16;
/** Each door takes a descriptor. */
const DESCRIPTORS_A_DOOR = 16;
const MOST_BODIES = 256 * 1024 * 1024;
/** Of all memory: a body is there as bytes, parsed, and as it is sent on. */
const BODIES_SHARE = 1 / 16;

/** How many connections fit into this many descriptors, with a request and its own connection to a backend on each. */
export function socketsWithin(descriptors: number): number {
  const sockets = Math.floor((descriptors - OWN_DESCRIPTORS) / DESCRIPTORS_EACH);
  return Math.min(MOST_SOCKETS, Math.max(LEAST_SOCKETS, sockets));
}

/** With how many sockets to listen, for new connections to be taken quickly. */
export function doorsWithin(descriptors: number): number {
  return Math.min(MOST_DOORS, Math.max(1, Math.floor(descriptors / DESCRIPTORS_A_DOOR)));
}

/** How many files and sockets this process may open; Infinity where the system does not tell. */
export function descriptorLimit(): number {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  // Addresses of the network would be looked up by name.
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  report.excludeNetwork = before;
  const soft = userLimits?.open_files?.soft;
  return typeof soft === "number" ? soft : Number.POSITIVE_INFINITY;
}

/** Bytes that bodies under way may take together, unless the config says so. */
export function bodyMemory(): number {
  const memory = process.constrainedMemory() || totalmem();
  return Math.min(MOST_BODIES, Math.floor(Math.min(memory, totalmem()) * BODIES_SHARE));
}
