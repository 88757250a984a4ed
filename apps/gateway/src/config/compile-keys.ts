import { hash } from "node:crypto";
import type { AdminToken, TeamKey } from "./config.ts";
import type { FileTexts } from "./file-texts.ts";
import { keyDigits } from "./key-id.ts";
import type { TeamKeyEntry } from "./key-schema.ts";
import type { ConfigFile } from "./schema.ts";

/** The name of `server.admin_token_file`'s token. */
export const adminName = "admin";

/** Every token of the admin listener. */
export function compileAdminTokens({ server }: ConfigFile, { files }: Pick<FileTexts, "files">): readonly AdminToken[] {
  const hashOf = (file: string): Buffer => hash("sha256", files.get(file)!.trim(), "buffer");
  const listed = (server.admin_tokens ?? []).map(({ name, role, token_file: file, hash: written }): AdminToken => {
    return { name, role, hash: file === undefined ? Buffer.from(written!.slice(7), "hex") : hashOf(file) };
  });
  const { admin_token_file: file } = server;
  return file === undefined ? listed : [...listed, { name: adminName, role: "admin", hash: hashOf(file) }];
}

/** A team's key. */
export function compileKey(entry: TeamKeyEntry): TeamKey {
  const {
    hash: written,
    name,
    expires = Number.POSITIVE_INFINITY,
  } = typeof entry === "string" ? { hash: entry } : entry;
  const lower = written.toLowerCase();
  return Object.freeze({ hash: lower, id: name ?? keyDigits(lower), name, expiresAt: expires });
}
