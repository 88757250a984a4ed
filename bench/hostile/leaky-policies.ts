import { canaries } from "./secret-canaries.ts";

const whole = `version: 1
backends: { one: { kind: vllm, url: "http://127.0.0.1:9/" } }
models: { m: { on: [{ backend: one }] } }
`;

/** Policies with a secret where it does not belong, or something wrong beside one: what is said of them must not show it. */
export const leakyPolicies: Readonly<Record<string, string>> = {
  "a backend's key in the file": backend(`api_key: ${canaries.api_key.value}`),
  "a key as a variable's default": backend(`api_key: "\${NOT_SET:-${canaries.api_key.value}}"`),
  "a key in a list": backend(`api_key: [${canaries.api_key.value}]`),
  "a header in the file": backend(`headers: { x-secret: ${canaries.header.value} }`),
  "an authorization header": backend(`headers: { authorization: "Bearer ${canaries.header.value}" }`),
  "a header with a line end": backend(`headers: { x-secret: "${canaries.header.value}\\r\\nx: y" }`),
  "a misspelled key": backend(`api_kye: ${canaries.api_key.value}`),
  "a key as a file's name": backend(`api_key_file: ${canaries.api_key.value}`),
  "a team's key in the file": team(canaries.team_key.value),
  "a team's key with a hash's prefix": team(`sha256:${canaries.team_key.value}`),
  "a password in a store's address": `${whole}store: "redis://user:${canaries.url_password.value}@localhost:6379"\n`,
  "a password in a backend's address": whole.replace("http://", `http://user:${canaries.url_password.value}@`),
  "a key in a backend's query": whole.replace(":9/", `:9/v1?key=${canaries.query.value}`),
  "no YAML behind a secret": `${whole}x: "${canaries.api_key.value}\n`,
  "no YAML before a secret": `${whole}x: [\n  ${canaries.api_key.value}: {\n`,
  "a secret as an alias": `${whole}x: *${canaries.api_key.value}\n`,
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: variables of a policy
  "a variable with a secret in a number": backend('max_concurrent: "${CANARY_API_KEY}"'),
  "a variable with a secret in a name": backend('kind2: "${CANARY_API_KEY}"'),
  "a variable with a secret in an address": whole.replace("http://127.0.0.1:9/", "${CANARY_API_KEY}"),
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: variables of a policy
  "a token that is too short": `${whole}server: { admin_token_file: ./short-token }\n`,
  "a key file that is none": backend("tls: { cert_file: ./client.pem, key_file: ./broken.key }"),
};

function backend(more: string): string {
  return whole.replace(" } }", `, ${more} } }`);
}

function team(key: string): string {
  return `${whole}teams: { all: { keys: ["${key}"] } }\n`;
}
