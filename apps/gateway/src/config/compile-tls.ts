import type { TlsOptions } from "./config.ts";

interface TlsEntry {
  readonly ca_file?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
}

/** The texts of the files that a `tls` section names; undefined where there is none. */
export function compileTls(entry: TlsEntry | undefined, files: ReadonlyMap<string, string>): TlsOptions | undefined {
  if (entry === undefined) return undefined;
  const parts = Object.entries({ ca: entry.ca_file, cert: entry.cert_file, key: entry.key_file });
  return Object.fromEntries(
    parts.flatMap(([name, path]) => (path === undefined ? [] : [[name, files.get(path)]])),
  ) as TlsOptions;
}
