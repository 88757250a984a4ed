import { createRequire } from "node:module";

/** Of the product, as package.json has it. */
export const version: string = (createRequire(import.meta.url)("../../package.json") as { version: string }).version;
