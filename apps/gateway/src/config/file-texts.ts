/** The files that a config names. */
export interface FileTexts {
  /** Texts by the path as written. */
  readonly files: ReadonlyMap<string, string>;
  /** Absolute paths. */
  readonly paths: readonly string[];
  /** Where relative paths start from. */
  readonly folder: string;
}
