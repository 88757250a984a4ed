import { PanelBuilder as BarGauge } from "@grafana/grafana-foundation-sdk/bargauge";
import type { Builder as Buildable } from "@grafana/grafana-foundation-sdk/cog";
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type DashboardLink,
  DashboardLinkBuilder,
  MappingType,
  type Panel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as Heatmap, YAxisConfigBuilder } from "@grafana/grafana-foundation-sdk/heatmap";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as Stat } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StateTimeline } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as Table } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeSeries } from "@grafana/grafana-foundation-sdk/timeseries";
import type { AlertName } from "../../apps/gateway/src/signals/alert-table.ts";

/** One query of a panel. The legend is a pattern such as `{{model}}`. */
interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** Grafana's names of the units in use. */
type Unit = "short" | "reqps" | "s" | "percentunit" | "bytes" | "ops" | "bool" | "none" | "dateTimeAsIso";

/** What each panel has. */
interface PanelText {
  /** What the panel answers. */
  readonly title: string;
  /** What is counted, and what to do about it. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Of the 24 columns. */
  readonly width: number;
  readonly height?: number;
  /** Values from which the colour changes, in rising order. */
  readonly steps?: readonly Step[];
  /** The alert whose runbook says what to do. */
  readonly runbook?: AlertName;
}

type Colour = "green" | "yellow" | "orange" | "red" | "blue" | "text";
type Step = readonly [from: number, colour: Colour];

/** The datasource that the dashboard's variable names. */
export const datasource = { type: "prometheus", uid: `\${datasource}` } as const;

const GRAPH_HEIGHT = 8;
const STAT_HEIGHT = 4;

function refIdOf(index: number): string {
  return String.fromCharCode("A".charCodeAt(0) + index);
}

function target({ expr, legend }: Query, index: number): DataqueryBuilder {
  return new DataqueryBuilder().datasource(datasource).expr(expr).legendFormat(legend).refId(refIdOf(index));
}

/** The first colour holds below the first step. */
function thresholds(steps: readonly Step[], base: Colour): ThresholdsConfigBuilder {
  const all: Threshold[] = [{ value: null, color: base }, ...steps.map(([value, color]) => ({ value, color }))];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(all);
}

/** A link that is in sight; the library's default puts it into a menu. */
export function shown(link: DashboardLinkBuilder): Buildable<DashboardLink> {
  return {
    build() {
      const built = link.build();
      delete built.placement;
      return built;
    },
  };
}

function runbookLink(alert: AlertName): Buildable<DashboardLink> {
  return shown(new DashboardLinkBuilder("What to do").url(`\${runbooks}#${alert.toLowerCase()}`).targetBlank(true));
}

type PanelBuilder = TimeSeries | Stat | StateTimeline | Table | BarGauge | Heatmap;

function finish<B extends PanelBuilder>(builder: B, text: PanelText, height: number): Panel {
  builder
    .title(text.title)
    .description(text.description)
    .datasource(datasource)
    .unit(text.unit)
    .noValue("none")
    .span(text.width)
    .height(text.height ?? height);
  if (text.runbook !== undefined) builder.links([runbookLink(text.runbook)]);
  return builder.build();
}

/** How a graph looks beyond its words. */
interface GraphText extends PanelText {
  /** Points lead to traces. For queries of histograms. */
  readonly exemplars?: boolean;
  /** One on top of the other, so that they add up. */
  readonly stacked?: boolean;
  readonly max?: number;
}

/** The legend of a query that is a limit and no measurement; drawn as a red dashed line. */
export const LIMIT = "limit";

/** Lines over time. */
export function graph(text: GraphText): Panel {
  const builder = new TimeSeries()
    .targets(
      text.queries.map((query, index) =>
        target(query, index)
          .range()
          .exemplar(text.exemplars === true && query.legend !== LIMIT),
      ),
    )
    .lineWidth(1)
    .fillOpacity(text.stacked === true ? 30 : 8)
    .showPoints(VisibilityMode.Auto)
    .min(0)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .calcs(["lastNotNull", "max"]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .overrideByName(LIMIT, [
      { id: "color", value: { mode: "fixed", fixedColor: "red" } },
      { id: "custom.lineStyle", value: { fill: "dash", dash: [8, 8] } },
      { id: "custom.fillOpacity", value: 0 },
    ]);
  if (text.stacked === true) builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  if (text.max !== undefined) builder.max(text.max);
  if (text.steps !== undefined) {
    builder
      .thresholds(thresholds(text.steps, "green"))
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  }
  return finish(builder, text, GRAPH_HEIGHT);
}

/** How a number looks beyond its words. */
interface NumberText extends PanelText {
  readonly decimals?: number;
  /** The colour below the first step; green unless given. */
  readonly base?: Colour;
  /** Text in place of numbers. */
  readonly words?: Readonly<Record<string, readonly [text: string, colour: Colour]>>;
}

function wordsMapping(words: NonNullable<NumberText["words"]>) {
  const options = Object.fromEntries(
    Object.entries(words).map(([value, [text, color]], index) => [value, { text, color, index }]),
  );
  return [{ type: MappingType.ValueToText as const, options }];
}

/** One number, large, with its colour. */
export function number(text: NumberText): Panel {
  const builder = new Stat()
    .targets(text.queries.map((query, index) => target(query, index).instant()))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false))
    .graphMode(BigValueGraphMode.None)
    .colorMode(text.steps === undefined ? BigValueColorMode.Value : BigValueColorMode.Background)
    .thresholds(thresholds(text.steps ?? [], text.base ?? (text.steps === undefined ? "text" : "green")));
  if (text.decimals !== undefined) builder.decimals(text.decimals);
  if (text.words !== undefined) builder.mappings(wordsMapping(text.words));
  return finish(builder, text, STAT_HEIGHT);
}

/** Bars, one for each series, as they are now. */
export function bars(text: NumberText & { readonly max?: number }): Panel {
  const builder = new BarGauge()
    .targets(text.queries.map((query, index) => target(query, index).instant()))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false))
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .showUnfilled(true)
    .min(0)
    .thresholds(thresholds(text.steps ?? [], text.base ?? "green"));
  if (text.max !== undefined) builder.max(text.max);
  return finish(builder, text, GRAPH_HEIGHT);
}

/** What state each series was in, as coloured stretches of time. */
export function states(text: PanelText & { readonly words: NonNullable<NumberText["words"]> }): Panel {
  const builder = new StateTimeline()
    .targets(text.queries.map((query, index) => target(query, index).range()))
    .mergeValues(true)
    .showValue(VisibilityMode.Auto)
    .rowHeight(0.8)
    .mappings(wordsMapping(text.words))
    .thresholds(thresholds([], "text"))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(false)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .calcs([]),
    );
  return finish(builder, text, GRAPH_HEIGHT);
}

/** A column of a table: what its query's value is called. */
interface Column extends Query {
  readonly unit?: Unit;
  /** Its labels are columns, and its value is none. */
  readonly labelsAlone?: boolean;
}

interface TableText extends Omit<PanelText, "queries"> {
  /** One query a column; rows are put together by the labels that all of them have. */
  readonly columns: readonly Column[];
}

/** A row for each combination of labels, with a column for each query. */
export function table({ columns, ...text }: TableText): Panel {
  const nameOf = (index: number) => (columns.length === 1 ? "Value" : `Value #${refIdOf(index)}`);
  const hidden = columns.flatMap(({ labelsAlone = false }, index) => (labelsAlone ? [nameOf(index)] : []));
  const builder = new Table()
    .targets(columns.map((column, index) => target(column, index).instant().format(PromQueryFormat.Table)))
    .withTransformation({ id: "merge", options: {} })
    .withTransformation({
      id: "organize",
      options: {
        excludeByName: Object.fromEntries(["Time", ...hidden].map((name) => [name, true])),
        indexByName: {},
        renameByName: Object.fromEntries(columns.map(({ legend }, index) => [nameOf(index), legend])),
      },
    });
  for (const { legend, unit } of columns) {
    if (unit !== undefined) builder.overrideByName(legend, [{ id: "unit", value: unit }]);
  }
  return finish(builder, { ...text, queries: columns }, GRAPH_HEIGHT);
}

/** How often which values came, as colours over time. For the buckets of a histogram. */
export function heatmap(text: PanelText): Panel {
  const builder = new Heatmap()
    .targets(
      text.queries.map((query, index) => target(query, index).range().format(PromQueryFormat.Heatmap).exemplar(true)),
    )
    .calculate(false)
    .yAxis(new YAxisConfigBuilder().unit(text.unit));
  return finish(builder, text, GRAPH_HEIGHT);
}
