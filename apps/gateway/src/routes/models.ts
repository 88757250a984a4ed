import { GatewayError } from "@signalbox/protocol";
import { autoModel, usableModels } from "@signalbox/router";
import type { HttpExchange } from "../http/exchange.ts";
import { requestIdOf } from "../http/request-id.ts";
import { deliverError } from "../request-path/deliver.ts";
import type { Serving } from "../runtime/serving.ts";
import type { Route } from "./route.ts";

const created = Math.floor(Date.now() / 1000);

interface ModelObject {
  readonly id: string;
  readonly object: "model";
  readonly created: number;
  readonly owned_by: string;
  /** Tokens of prompt and reply together, as vLLM names it. */
  readonly max_model_len?: number;
}

/** What the key of this request may use, `auto` first where it may: many clients take the first one. */
function modelsFor(serving: Serving, exchange: HttpExchange): ModelObject[] {
  const { team } = serving.identify(exchange);
  const policy = serving.config.privacy.policyOf(team.name);
  const names = usableModels(policy, team.models);
  const aliases = [...policy.aliases].filter(([, model]) => names.includes(model)).map(([alias]) => alias);
  const sorted = [...names.filter((name) => name !== autoModel), ...aliases].sort();
  return [...names.filter((name) => name === autoModel), ...sorted].map((id) => {
    const context = policy.models.get(policy.aliases.get(id) ?? id)?.context;
    return {
      id,
      object: "model",
      created,
      owned_by: "signalbox",
      ...(context !== undefined && { max_model_len: context }),
    };
  });
}

function answer(exchange: HttpExchange, make: () => unknown): void {
  const headers = ["x-request-id", requestIdOf(exchange)];
  try {
    exchange.send(200, [...headers, "content-type", "application/json"], JSON.stringify(make()));
  } catch (error) {
    const told =
      error instanceof GatewayError ? error : new GatewayError("internal_error", "internal error", { cause: error });
    deliverError(exchange, told, headers);
  }
}

/** `GET /v1/models` and `GET /v1/models/{id}`; an id may hold slashes. */
export const modelRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/models",
    handle: (serving, exchange) => answer(exchange, () => ({ object: "list", data: modelsFor(serving, exchange) })),
  },
  {
    method: "GET",
    path: "/v1/models/:rest{.+}",
    handle: (serving, exchange, id) =>
      answer(exchange, () => {
        const models = modelsFor(serving, exchange);
        const found = models.find((model) => model.id === id);
        if (found !== undefined) return found;
        const names = models.map((model) => model.id).join(", ");
        throw new GatewayError(
          "model_not_found",
          `the model «${id.slice(0, 128)}» is not among those of this key: ${names}`,
          { param: "model" },
        );
      }),
  },
];
