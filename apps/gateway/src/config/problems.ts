/** Keys and indexes from the root of the file to a value. */
export type Path = readonly (string | number)[];

/** Something wrong in a file, before it is known where the path stands in the text. */
export interface Problem {
  readonly path: Path;
  /** Who, what and the number, in lower case. */
  readonly message: string;
  /** Points at the key instead of its value. */
  readonly atKey?: boolean;
}

/** Something wrong in a config file, with its place. Lines and columns count from 1. */
export interface ConfigError {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `models.small.on[0].backend`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** `models.small.on[0].backend`; keys with other characters are quoted: `models["qwen2.5:0.5b"]`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*(\.[A-Za-z_*][\w-]*)*$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** `file:line:column: path: message`, the form that editors and terminals turn into a link. */
export function formatError(error: ConfigError): string {
  const where = `${error.file}:${error.line}:${error.column}`;
  return error.path === "" ? `${where}: ${error.message}` : `${where}: ${error.path}: ${error.message}`;
}
