/** A value of OTLP's JSON form. */
interface OtlpValue {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
  readonly arrayValue?: { readonly values?: readonly OtlpValue[] };
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: OtlpValue;
}

/** A span of OTLP's JSON form, as the collector writes it. */
export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 2 = server, 3 = client. */
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly OtlpAttribute[];
  readonly events?: readonly {
    readonly timeUnixNano: string;
    readonly name: string;
    readonly attributes?: readonly OtlpAttribute[];
  }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

/** What a span's attributes say, by their names; lists as texts with commas. */
export function attributesOf(span: { readonly attributes?: readonly OtlpAttribute[] }): Record<string, string> {
  return Object.fromEntries((span.attributes ?? []).map(({ key, value }) => [key, shown(value)]));
}

function shown({ stringValue, intValue, doubleValue, boolValue, arrayValue }: OtlpValue): string {
  if (arrayValue !== undefined) return (arrayValue.values ?? []).map(shown).join(", ");
  if (doubleValue !== undefined) return String(Number(doubleValue.toPrecision(3)));
  return String(stringValue ?? intValue ?? boolValue);
}

/**
 * The spans of one request as text. Times are milliseconds from its beginning. Of every attempt but the first only those
 * attributes are told that the one before it did not have.
 */
export function traceTree(spans: readonly OtlpSpan[]): string {
  const [request, ...attempts] = spans.toSorted((one, other) => {
    return Number(BigInt(one.startTimeUnixNano) - BigInt(other.startTimeUnixNano));
  });
  if (request === undefined) return "";
  const at = (nanos: string): string =>
    (Number(BigInt(nanos) - BigInt(request.startTimeUnixNano)) / 1e6).toFixed(1).padStart(7);
  const lines = [`trace ${request.traceId}, from the client's span ${request.parentSpanId || "(none)"}`];
  let known: Record<string, string> = {};
  for (const span of [request, ...attempts]) {
    const margin = span === request ? "" : "    ";
    const { code = 0, message = "" } = span.status ?? {};
    const kind = span.kind === 2 ? "server" : "client";
    const status = code === 2 ? `   ERROR ${message}` : "";
    const when = `${at(span.startTimeUnixNano)} to ${at(span.endTimeUnixNano).trim()} ms`;
    lines.push("", `${margin}${when}   ${span.name} (${kind})${status}`);
    const attributes = attributesOf(span);
    for (const [name, value] of Object.entries(attributes)) {
      if (known[name] !== value) lines.push(`${margin}            ${name} = ${value}`);
    }
    for (const { name, timeUnixNano, ...event } of span.events ?? []) {
      const told = Object.entries(attributesOf(event)).map(([key, value]) => `${key} = ${value}`);
      lines.push(`${margin}${at(timeUnixNano)} ms · ${name}${told.length > 0 ? `: ${told.join("; ")}` : ""}`);
    }
    known = span === request ? {} : attributes;
  }
  return lines.join("\n");
}
