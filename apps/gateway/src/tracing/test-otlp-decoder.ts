/** A span as it came over the wire. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty = it has none. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly flags: number;
  readonly name: string;
  /** 2 = server, 3 = client. */
  readonly kind: number;
  /** Nanoseconds since 1970. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly time: bigint; readonly attributes: Attributes }[];
  /** 0 unset, 1 ok, 2 error. */
  readonly status: { readonly code: number; readonly message: string };
  /** Attributes of who sent it. */
  readonly resource: Attributes;
  readonly scope: string;
}

type Value = string | number | boolean | readonly unknown[] | undefined;
type Attributes = Readonly<Record<string, Value>>;

/**
 * Reads an ExportTraceServiceRequest, as far as traces of ours go, by
 * https://github.com/open-telemetry/opentelemetry-proto. Throws RangeError at bytes that end too early.
 */
export function decodeSpans(body: Buffer): ReceivedSpan[] {
  return new Message(body).all(1).flatMap((resourceSpans) => {
    const resource = attributesOf(resourceSpans.one(1), 1);
    return resourceSpans.all(2).flatMap((scopeSpans) => {
      const scope = scopeSpans.one(1)?.text(1) ?? "";
      return scopeSpans.all(2).map((span) => spanOf(span, resource, scope));
    });
  });
}

function spanOf(span: Message, resource: Attributes, scope: string): ReceivedSpan {
  const status = span.one(15);
  return {
    traceId: span.bytes(1).toString("hex"),
    spanId: span.bytes(2).toString("hex"),
    traceState: span.text(3),
    parentSpanId: span.bytes(4).toString("hex"),
    name: span.text(5),
    kind: Number(span.number(6)),
    start: span.number(7),
    end: span.number(8),
    attributes: attributesOf(span, 9),
    events: span.all(11).map((event) => {
      return { time: event.number(1), name: event.text(2), attributes: attributesOf(event, 3) };
    }),
    status: { message: status?.text(2) ?? "", code: Number(status?.number(3) ?? 0n) },
    flags: Number(span.number(16)),
    resource,
    scope,
  };
}

function attributesOf(message: Message | undefined, field: number): Attributes {
  return Object.fromEntries(message?.all(field).map((pair) => [pair.text(1), readAny(pair.one(2))]) ?? []);
}

function readAny(any: Message | undefined): Value {
  if (any === undefined) return undefined;
  if (any.has(1)) return any.text(1);
  if (any.has(2)) return any.number(2) !== 0n;
  if (any.has(3)) return Number(BigInt.asIntN(64, any.number(3)));
  if (any.has(4)) {
    const bits = Buffer.alloc(8);
    bits.writeBigUInt64LE(any.number(4));
    return bits.readDoubleLE();
  }
  return any.one(5)?.all(1).map(readAny);
}

/** The fields of one protobuf message, by number. */
class Message {
  readonly #fields = new Map<number, (bigint | Buffer)[]>();

  constructor(bytes: Buffer) {
    const reader = { bytes, at: 0 };
    while (reader.at < bytes.length) {
      const tag = Number(readVarint(reader));
      const field = tag >> 3;
      const values = this.#fields.get(field) ?? [];
      values.push(readValue(reader, tag & 7));
      this.#fields.set(field, values);
    }
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  all(field: number): Message[] {
    return (this.#fields.get(field) ?? []).map((value) => new Message(value as Buffer));
  }

  one(field: number): Message | undefined {
    return this.all(field).at(-1);
  }

  bytes(field: number): Buffer {
    return (this.#fields.get(field)?.at(-1) as Buffer | undefined) ?? Buffer.alloc(0);
  }

  text(field: number): string {
    return this.bytes(field).toString("utf8");
  }

  number(field: number): bigint {
    return (this.#fields.get(field)?.at(-1) as bigint | undefined) ?? 0n;
  }
}

interface Reader {
  readonly bytes: Buffer;
  at: number;
}

function readVarint(reader: Reader): bigint {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = reader.bytes.readUInt8(reader.at++);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

function readValue(reader: Reader, wire: number): bigint | Buffer {
  if (wire === 0) return readVarint(reader);
  const { bytes } = reader;
  if (wire === 1) {
    reader.at += 8;
    return bytes.readBigUInt64LE(reader.at - 8);
  }
  if (wire === 5) {
    reader.at += 4;
    return BigInt(bytes.readUInt32LE(reader.at - 4));
  }
  if (wire !== 2) throw new RangeError(`wire type ${wire}`);
  const length = Number(readVarint(reader));
  if (reader.at + length > bytes.length) throw new RangeError("a field ends behind its message");
  reader.at += length;
  return bytes.subarray(reader.at - length, reader.at);
}
