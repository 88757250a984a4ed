import { z } from "zod";
import { adminRoles } from "./config.ts";
import { oneOf, plainName, section, text } from "./fields.ts";
import { keyHash } from "./key-schema.ts";

/** `server.admin_tokens`. */
export const AdminTokens = z
  .array(
    section({
      name: plainName("token").describe("Who has the token: the audit file and the log name it."),
      role: oneOf(adminRoles).describe(
        "[What the token may](security.md#roles). With `admin_tokens` everything on the admin listener but `/livez` and `/readyz` wants one.",
      ),
      token_file: text()
        .optional()
        .describe("A file with the token, 16 characters or more; read again when it changes."),
      hash: keyHash()
        .optional()
        .describe(
          "Instead of the file: `sha256:` and the 64 hex digits of the token's SHA-256 (`signalbox keys create --offline` makes both).",
        ),
    }),
  )
  .min(1, "expected at least one { name, role, token_file }");
