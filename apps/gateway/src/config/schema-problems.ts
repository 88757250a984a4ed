import type { z } from "zod";
import { headerKey } from "./condition-schema.ts";
import { show } from "./fields.ts";
import type { Path, Problem } from "./problems.ts";

/** What a schema found wrong with `value`, in words, one problem for each thing to repair. */
export function schemaProblems(error: z.ZodError, value: unknown): Problem[] {
  return issueProblems(error.issues, value);
}

type Issues = z.ZodError["issues"];

function issueProblems(issues: Issues, value: unknown): Problem[] {
  return issues.flatMap((issue) => {
    const path = writtenPath(issue.path);
    const branch = issue.code === "invalid_union" ? likelyBranch(issue.errors) : undefined;
    if (branch !== undefined) {
      const inner = branch.map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
      return issueProblems(inner as Issues, value);
    }
    if (issue.code === "unrecognized_keys") {
      const messages = issue.message.split("\n");
      return issue.keys.map((key, index) => ({
        path: [...path, key],
        message: messages[index] as string,
        atKey: true,
      }));
    }
    if (issue.code === "invalid_key") {
      const message = issue.issues[0]?.message ?? issue.message;
      return [{ path, message: `${message}, not ${show(path.at(-1))}`, atKey: true }];
    }
    if (issue.code === "invalid_type") return [{ path, message: wrongType(issue.expected, at(value, path)) }];
    return [{ path, message: lowerFirst(issue.message) }];
  });
}

/** The one of several forms that a value has, though something in it is wrong; undefined = it has none of them. */
function likelyBranch(branches: readonly z.core.$ZodIssue[][]): z.core.$ZodIssue[] | undefined {
  const meant = branches.filter((issues) =>
    issues.every(({ code, path }) => (code !== "invalid_type" && code !== "invalid_union") || path.length > 0),
  );
  return meant.length === 1 ? meant[0] : undefined;
}

const typeWords: Readonly<Record<string, string>> = {
  object: "a mapping (key: value)",
  record: "a mapping (name: ...)",
  array: "a list",
  string: "a text",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
};

function wrongType(expected: string, found: unknown): string {
  const wanted = typeWords[expected] ?? expected;
  if (found === undefined || found === null) return `is missing: expected ${wanted}`;
  const near = expected === "boolean" ? switchWord(found) : undefined;
  return `expected ${wanted}, not ${show(found)}${near === undefined ? "" : `; did you mean «${near}»?`}`;
}

function switchWord(found: unknown): boolean | undefined {
  const word = String(found).toLowerCase();
  if (["yes", "on", "true", "1", "y"].includes(word)) return true;
  return ["no", "off", "false", "0", "n"].includes(word) ? false : undefined;
}

/** Headers of a condition are gathered for the schema; in the file each is a key of its own. */
function writtenPath(path: readonly PropertyKey[]): Path {
  const parts = path.map((part) => (typeof part === "number" ? part : String(part)));
  const index = parts.indexOf(headerKey);
  const name = parts[index + 1];
  if (index < 0 || name === undefined) return parts;
  return [...parts.slice(0, index), `header.${name}`, ...parts.slice(index + 2)];
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (parent, part) => (parent as Record<string | number, unknown> | null | undefined)?.[part],
    value,
  );
}

const lowerFirst = (text: string) => (/^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text);
