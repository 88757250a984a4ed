import type { BackendKind, RequestEdits } from "@signalbox/backends";
import { scanElements, spliceMembers } from "@signalbox/protocol";
import type { Deployment, Model } from "@signalbox/router";
import type { ReadRequest } from "./read-request.ts";
import { placeReasoning } from "./reasoning-history.ts";
import { addContinuation, type BegunReply } from "./recovery/continuation-request.ts";

/** For whom a body is made. */
export interface BodyTarget {
  readonly kind: BackendKind;
  readonly model: Model;
  readonly deployment: Deployment;
  /** The model's name as the backend knows it. */
  readonly upstreamModel: string;
  /** The tokens of a streamed reply are to be told in each of its events. */
  readonly counts?: boolean;
  /** Another backend began the reply. */
  readonly begun?: BegunReply | undefined;
}

type Edits = Record<string, string | Buffer | undefined>;

/**
 * The body for one attempt: the client's bytes with `model` named as the backend knows it, the kind's own edits, the
 * reasoning of earlier turns where the engine reads it, the model's defaults for what the client left out, and a usage
 * chunk asked for in streams (it is taken out again on the way back unless the client asked as well).
 */
export function upstreamBody(request: ReadRequest, target: BodyTarget): Buffer {
  const { body, endpoint, history } = request;
  const { kind, model, deployment } = target;
  const edits: Edits = { model: JSON.stringify(target.upstreamModel) };
  const counts = target.counts === true && kind.countsTokens === true;
  if (request.stream && kind.streamsUsage && (counts || !request.includeUsage)) {
    const options = body.stream_options as object | null | undefined;
    edits.stream_options = JSON.stringify({
      ...options,
      include_usage: true,
      ...(counts && { continuous_usage_stats: true }),
    });
  }
  if (endpoint !== "embeddings") {
    for (const key in model.defaults) {
      const name = nameOf(key, kind);
      if (name !== undefined && !isGiven(body, key, name)) edits[name] = model.defaults[key];
    }
  }
  const view = { endpoint, body };
  addEdits(edits, request, kind.editRequest?.(view));
  if (deployment.toolParser === "raw") addEdits(edits, request, kind.editRawRequest?.(view));
  if (history !== undefined && (deployment.reasoningHistory !== undefined || history.hasRecalled)) {
    edits.messages = placeReasoning(request.bytes, history, deployment.reasoningHistory);
  }
  if (target.begun !== undefined) addContinuation(edits, request, kind, target.begun);
  return spliceMembers(request.bytes, request.members, edits);
}

/** What an engine calls a default; undefined where it does not know it. */
function nameOf(key: string, { sampling }: BackendKind): string | undefined {
  switch (key) {
    case "top_k":
    case "min_p":
    case "repetition_penalty":
      return sampling[key];
    default:
      return key;
  }
}

/** The client's own value, under any name that it has, overrides a default. */
function isGiven(body: ReadRequest["body"], key: string, name: string): boolean {
  if (key === "max_tokens" && Object.hasOwn(body, "max_completion_tokens")) return true;
  return Object.hasOwn(body, key) || Object.hasOwn(body, name);
}

function addEdits(edits: Edits, request: ReadRequest, own: RequestEdits | undefined): void {
  for (const key in own) {
    const edit = own[key];
    edits[key] = typeof edit === "object" ? keepElements(request, key, edit.keep) : edit;
  }
}

/** A list of the body with only some of its elements, byte for byte. */
function keepElements({ bytes, members }: ReadRequest, key: string, keep: readonly number[]): string {
  const list = members.find((member) => member.key === key)!;
  const elements = scanElements(bytes, list.valueStart);
  const kept = keep.map((index) => bytes.toString("utf8", elements[index]!.valueStart, elements[index]!.valueEnd));
  return `[${kept.join(",")}]`;
}
