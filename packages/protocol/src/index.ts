export {
  type ErrorCode,
  errorBody,
  errorTable,
  type FaultDomain,
  GatewayError,
  type GatewayErrorOptions,
} from "./errors.ts";
export {
  type JsonCaps,
  type JsonMember,
  type JsonSpan,
  scanElements,
  scanMembers,
  scanMembersAt,
  spliceElements,
  spliceMembers,
} from "./json-members.ts";
export { createLedger, type EventKind, type Ledger } from "./ledger.ts";
export { type FailureCause, type Outcome, type OutcomeKind, type UpstreamError, upstreamMeanings } from "./outcome.ts";
export { type ReasoningPlace, reasoningFields, reasoningPlaces } from "./reasoning-place.ts";
export { type Reply, ReplyEvent } from "./reply.ts";
export {
  type AnyRequest,
  ChatMessage,
  ChatRequest,
  CompletionRequest,
  EmbeddingRequest,
  type Endpoint,
  endpoints,
  requestSchemas,
  Tool,
} from "./request.ts";
export { createSseDecoder, type SseDecoder } from "./sse-decoder.ts";
export {
  type Transport,
  TransportError,
  type TransportExchange,
  type TransportRequest,
  type TransportResponse,
} from "./transport.ts";
export { readUsage, type Usage } from "./usage.ts";
