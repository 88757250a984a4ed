import { fieldsOf, itemsOf, textOf } from "./json-fields.ts";
import type { Get, ListedModel } from "./kind.ts";
import { ask, isFine, type ProbeAnswer } from "./probe-answer.ts";

/** One row of `GET /v1/models`. */
export interface ListingRow {
  readonly id: string;
  readonly ownedBy: string | undefined;
  /** The whole row, for what only one engine tells. */
  readonly row: Readonly<Record<string, unknown>>;
}

const MAX_ROWS = 1000;
const MAX_ID_LENGTH = 256;

/** The rows of an OpenAI model listing, at most 1,000, each id once; undefined when the answer is not a listing. */
export function readListing(answer: ProbeAnswer): readonly ListingRow[] | undefined {
  if (!isFine(answer)) return undefined;
  const { data, object } = fieldsOf(answer.json);
  // Go servers write an empty list as null.
  if (!Array.isArray(data) && !(data === null && object === "list")) return undefined;
  const rows = new Map<string, ListingRow>();
  for (const item of itemsOf(data)) {
    const row = fieldsOf(item);
    const id = textOf(row.id);
    if (id === undefined || id.length > MAX_ID_LENGTH || rows.has(id)) continue;
    if (rows.size >= MAX_ROWS) break;
    rows.set(id, { id, ownedBy: textOf(row.owned_by), row });
  }
  return [...rows.values()];
}

/** Does `/v1/models` list at least one model, and does this owner own all of them? */
export async function listsModelsOf(owner: string, get: Get): Promise<boolean> {
  const rows = readListing(await ask(get, "/v1/models")) ?? [];
  return rows.length > 0 && rows.every((row) => row.ownedBy === owner);
}

/**
 * The listed model that people mean by `name`: the one with exactly this id, else one with this id or alias in any
 * letter case, where a model in memory goes before one that is not. Undefined when nothing has that name.
 */
export function findListedModel(models: readonly ListedModel[], name: string): ListedModel | undefined {
  const exact = models.find((model) => model.id === name);
  if (exact !== undefined) return exact;
  const lower = name.toLowerCase();
  const named = models.filter(({ id, aliases = [] }) =>
    [id, ...aliases].some((known) => known.toLowerCase() === lower),
  );
  return named.find((model) => model.loaded === true) ?? named.find((model) => model.loaded !== false) ?? named[0];
}
