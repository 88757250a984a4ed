"""Reads an ExportTraceServiceRequest (base64, in OTLP) with OpenTelemetry's own messages; prints its spans as JSON."""

import base64
import json
import os

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def any_value(value):
    which = value.WhichOneof("value")
    if which == "array_value":
        return [any_value(item) for item in value.array_value.values]
    return getattr(value, which)


def attributes(pairs):
    return {pair.key: any_value(pair.value) for pair in pairs}


request = ExportTraceServiceRequest.FromString(base64.b64decode(os.environ["OTLP"]))
print(
    json.dumps(
        [
            {
                "traceId": span.trace_id.hex(),
                "spanId": span.span_id.hex(),
                "parentSpanId": span.parent_span_id.hex(),
                "traceState": span.trace_state,
                "flags": span.flags,
                "name": span.name,
                "kind": span.kind,
                "start": str(span.start_time_unix_nano),
                "end": str(span.end_time_unix_nano),
                "attributes": attributes(span.attributes),
                "events": [
                    {"name": event.name, "time": str(event.time_unix_nano), "attributes": attributes(event.attributes)}
                    for event in span.events
                ],
                "status": {"code": span.status.code, "message": span.status.message},
                "resource": attributes(resource_spans.resource.attributes),
                "scope": scope_spans.scope.name,
            }
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]
    )
)
