/** What stood in a text with variables: the text to use, and what is wrong with it. */
export interface Expansion {
  readonly text: string;
  readonly problems: readonly string[];
}

const reference = /\$\$\{|\$\{([^}]*)\}|\$\{/g;
const inner = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** True for a text that is one `${NAME}` and nothing else: how secrets are given. */
export function isVariable(text: string): boolean {
  return /^\$\{[A-Za-z_][A-Za-z0-9_]*(?::-)?\}$/.test(text);
}

/**
 * Replaces `${NAME}` and `${NAME:-default}` (taken when NAME is unset or empty); `$${` is a literal `${`. What a variable
 * holds is text: it is not expanded again, and it cannot add keys or lists to the file.
 */
export function expandVariables(text: string, env: Readonly<Record<string, string | undefined>>): Expansion {
  if (!text.includes("${")) return { text, problems: [] };
  const problems: string[] = [];
  const expanded = text.replaceAll(reference, (whole, body: string | undefined) => {
    if (whole === "$${") return "${";
    const match = body === undefined ? null : inner.exec(body);
    if (!match) {
      problems.push(`«${whole}» is not a variable: write \${NAME} or \${NAME:-default}, or $\${ for a literal \${`);
      return whole;
    }
    const [, name, fallback] = match as unknown as [string, string, string | undefined];
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value !== undefined && (value !== "" || fallback === undefined)) return value;
    if (fallback !== undefined) return fallback;
    problems.push(`the environment variable ${name} is not set; give it, or a default as \${${name}:-value}`);
    return whole;
  });
  return { text: expanded, problems };
}
