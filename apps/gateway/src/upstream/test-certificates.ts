import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const openssl = "openssl";

/** Where it is false tests over TLS are skipped. */
export const hasOpenssl: boolean = spawnSync(openssl, ["version"]).status === 0;
/** Why they are, for their name; empty = they are not. */
export const skippedForOpenssl: string = hasOpenssl ? "" : " (skipped: no openssl on PATH to make certificates with)";

/** PEM texts. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate that signs others says of itself. */
export const authority: readonly string[] = ["basicConstraints=critical,CA:TRUE"];
/** What one that signs none says. */
export const leaf: readonly string[] = ["basicConstraints=critical,CA:FALSE"];

/** Certificates in a folder of their own, as `NAME.pem` and `NAME.key`. */
export interface TestCertificates {
  readonly folder: string;
  /** Makes one for two days; `issuer` = the name of one made before that signs it, else it signs itself. */
  make(name: string, extensions: readonly string[], issuer?: string): Pair;
  close(): void;
}

/** Makes certificates for a test. */
export function createTestCertificates(): TestCertificates {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-tls-"));
  return {
    folder,
    make(name, extensions, issuer) {
      const file = (ending: string, of = name) => join(folder, `${of}.${ending}`);
      const args = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
      ];
      args.push("-subj", `/CN=${name}`, "-keyout", file("key"), "-out", file("pem"));
      for (const extension of extensions) args.push("-addext", extension);
      if (issuer !== undefined) args.push("-CA", file("pem", issuer), "-CAkey", file("key", issuer));
      execFileSync(openssl, args, { stdio: "pipe" });
      return { cert: readFileSync(file("pem"), "utf8"), key: readFileSync(file("key"), "utf8") };
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
