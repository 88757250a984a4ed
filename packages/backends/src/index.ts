export { isErrorPayload } from "./error-body.ts";
export type {
  BackendKind,
  DiscoverTools,
  Get,
  GetResponse,
  KeptElements,
  ListedModel,
  Load,
  Probe,
  RequestEdits,
  RequestView,
} from "./kind.ts";
export { ownSampling } from "./kind.ts";
export { type BackendKindName, backendKindNames, kinds } from "./kinds.ts";
export { findListedModel } from "./model-listing.ts";
export { recogniseKind } from "./recognise-kind.ts";
