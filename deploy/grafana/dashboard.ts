import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  TimePickerBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { datasource, shown } from "./panels.ts";
import { series } from "./promql.ts";

/** A dashboard in its own words. */
interface Page {
  /** Its address in Grafana; file and links have it, too. */
  readonly uid: `signalbox-${string}`;
  readonly title: string;
  /** The question that brings people here. */
  readonly description: string;
  /** How far back it looks at first. */
  readonly from: "now-1h" | "now-3h" | "now-24h";
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

/** Where the runbooks are, until somebody says where their copy is. */
const RUNBOOKS = "https://example.org/signalbox/docs/runbooks.md";

/** The variables that narrow a page down, with the series that know their values; each depends on those before it. */
const narrowing = {
  job: `label_values(${series("signalbox_build_info", { job: '!=""', instance: '!=""' })}, job)`,
  instance: `label_values(${series("signalbox_build_info", { instance: '!=""' })}, instance)`,
  team: `label_values(${series("signalbox_requests_total", { team: '!=""', model: '!=""' })}, team)`,
  model: `label_values(${series("signalbox_model_backends", { model: '!=""' })}, model)`,
  backend: `label_values(${series("signalbox_backend_up", { backend: '!=""' })}, backend)`,
} as const;

function narrowingVariable(name: string, query: string): QueryVariableBuilder {
  const variable = new QueryVariableBuilder(name)
    .datasource(datasource)
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: ["All"], value: ["$__all"] });
  // All jobs are those of gateways, not of whatever else Prometheus scrapes; of the rest, what is down must not be left out.
  return name === "job" ? variable : variable.allValue(".*");
}

function targetsOf(panels: readonly Panel[]): string {
  return JSON.stringify(panels.map(({ targets, links }) => ({ targets, links })));
}

/** The whole dashboard: variables that its queries use, links to the others, panels in rows from left to right. */
export function dashboardOf({ uid, title, description, from, rows }: Page): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(["signalbox"])
    .time({ from, to: "now" })
    .refresh("30s")
    .timepicker(new TimePickerBuilder().refreshIntervals(["10s", "30s", "1m", "5m"]))
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .annotations([])
    .link(
      shown(
        new DashboardLinkBuilder("Signalbox")
          .type(DashboardLinkType.Dashboards)
          .tags(["signalbox"])
          .includeVars(true)
          .keepTime(true),
      ),
    )
    .withVariable(new DatasourceVariableBuilder("datasource").label("Datasource").type("prometheus"));
  const used = targetsOf(rows.flatMap(({ panels }) => panels));
  for (const [name, query] of Object.entries(narrowing)) {
    if (used.includes(`$${name}\\"`)) builder.withVariable(narrowingVariable(name, query));
  }
  if (used.includes(`\${runbooks}`)) {
    builder.withVariable(new TextBoxVariableBuilder("runbooks").label("Runbooks").defaultValue(RUNBOOKS));
  }
  let id = 0;
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).id(++id));
    for (const panel of row.panels) builder.withPanel({ build: () => ({ ...panel, id: ++id }) });
  }
  return builder.build();
}
