import { hash } from "node:crypto";
import type { FileTexts } from "./compile.ts";
import type { AdminToken } from "./config.ts";
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
