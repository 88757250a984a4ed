import { comparedIn } from "./expressions.ts";
import type { LoadedRule } from "./prometheus.ts";

/** One query that must have data. */
export interface Query {
  /** Whose it is, as a person finds it: dashboard, panel and letter, or the rule. */
  readonly what: string;
  readonly expr: string;
  /** How it is asked: at one moment, over the whole time, for exemplars, or for the values of a label. */
  readonly how: "at" | "over" | "exemplars" | { readonly label: string };
}

/** What of a dashboard's JSON is read here. */
export interface DashboardJson {
  readonly title: string;
  readonly templating: {
    readonly list: readonly { readonly type: string; readonly name: string; readonly query?: unknown }[];
  };
  readonly panels: readonly PanelJson[];
}

/** A panel of it, or a row's line. */
export interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly w: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly panels?: readonly PanelJson[];
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat?: string;
    readonly instant?: boolean;
    readonly exemplar?: boolean;
  }[];
}

/** All queries of a dashboard, as they stand: variables are not yet replaced. */
export function queriesOf({ title, templating, panels }: DashboardJson): Query[] {
  const variables = templating.list.flatMap(({ type, name, query }): Query[] => {
    if (type !== "query") return [];
    const { query: text } = query as { query: string };
    const [, expr = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(text) ?? [];
    return [{ what: `${title} / $${name}`, expr, how: { label } }];
  });
  const asked = panels.flatMap(({ title: panel, targets = [] }) =>
    targets.flatMap(({ refId, expr, instant = false, exemplar = false }): Query[] => {
      const what = `${title} / ${panel} / ${refId}`;
      const query: Query = { what, expr, how: instant ? "at" : "over" };
      return exemplar ? [query, { what: `${what}, exemplars`, expr, how: "exemplars" }] : [query];
    }),
  );
  return [...variables, ...asked];
}

/** What the rules ask: of a recording rule its expression and the series that it makes, of an alert each side of its comparisons. */
export function queriesOfRules(rules: readonly LoadedRule[]): Query[] {
  return rules.flatMap(({ name, type, query }): Query[] => {
    if (type === "recording") {
      return [
        { what: `rule ${name}`, expr: query, how: "over" },
        { what: `rule ${name}, recorded`, expr: name, how: "over" },
      ];
    }
    const parts = comparedIn(query);
    return parts.map((expr, index) => ({
      what: `alert ${name}${parts.length > 1 ? `, part ${index + 1} of ${parts.length}` : ""}`,
      expr,
      how: "over",
    }));
  });
}

/** What is asked of native histograms, which have no buckets of their own: the 95th percentile and the rate of each. */
export function queriesOfNative(histograms: readonly string[]): Query[] {
  return histograms.flatMap((name): Query[] => [
    { what: `native ${name}, 95 %`, expr: `histogram_quantile(0.95, sum(rate(${name}[10s])))`, how: "over" },
    { what: `native ${name}, rate`, expr: `histogram_count(sum(rate(${name}[10s])))`, how: "over" },
  ]);
}
