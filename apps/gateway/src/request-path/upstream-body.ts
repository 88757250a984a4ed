import type { BackendKind } from "@signalbox/backends";
import { spliceMembers } from "@signalbox/protocol";
import type { Model } from "@signalbox/router";
import type { ReadRequest } from "./read-request.ts";

/**
 * The body for one attempt: the client's bytes with `model` named as the backend knows it, the kind's own edits, the
 * model's defaults for what the client left out, and a usage chunk asked for in streams (it is taken out again on the
 * way back unless the client asked as well).
 */
export function upstreamBody(request: ReadRequest, kind: BackendKind, model: Model, upstreamModel: string): Buffer {
  const { body, endpoint } = request;
  const edits: Record<string, string | undefined> = { model: JSON.stringify(upstreamModel) };
  if (request.stream && kind.streamsUsage && !request.includeUsage) {
    const options = body.stream_options as object | null | undefined;
    edits.stream_options = JSON.stringify({ ...options, include_usage: true });
  }
  if (endpoint !== "embeddings") {
    for (const [key, value] of Object.entries(model.defaults)) {
      if (!Object.hasOwn(body, key)) edits[key] = value;
    }
  }
  const own = kind.editRequest?.({ endpoint, body });
  for (const key in own) edits[key] = own[key];
  return spliceMembers(request.bytes, request.members, edits);
}
