import { z } from "zod";
import { adminRoles } from "./config.ts";
import { oneOf, plainName, section } from "./fields.ts";
import { keyHash } from "./key-schema.ts";

const text = () => z.string().min(1, "expected some text, not an empty string");

/** `server.admin_tokens`. */
export const AdminTokens = z
  .array(
    section({
      name: plainName("token").describe("Shown in the audit file."),
      role: oneOf(adminRoles).describe("What it is good for."),
      token_file: text().optional().describe("File with the token."),
      hash: keyHash().optional().describe("SHA-256 of the token, instead of its file."),
    }),
  )
  .min(1, "expected at least one { name, role, token_file }");
