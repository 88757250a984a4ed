/** A request by which a client may want us to call at an address of its choice. */
export interface AddressVector {
  readonly what: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const chat = "/v1/chat/completions";
const good = { model: "m", messages: [{ role: "user", content: "hi" }] };

/** Members that gateways and SDKs know for an address, here and there. */
const members = [
  ...["base_url", "baseURL", "api_base", "api_url", "endpoint", "azure_endpoint", "url", "host", "backend", "proxy"],
  ...["provider", "target", "webhook", "callback_url", "user", "store", "custom_llm_provider", "service_tier"],
];

const names = [
  ...["host", "x-forwarded-host", "x-forwarded-server", "x-host", "x-original-url", "x-rewrite-url", "x-backend"],
  ...["x-signalbox-backend", "x-signalbox-base-url", "x-api-base", "openai-base-url", "helicone-target-url"],
  ...["x-portkey-custom-host", "referer", "origin", "via", "proxy", "destination", "location", "x-http-host-override"],
];

/** Every place where a client could try to name `address`, an `http://host:port`. */
export function addressVectors(address: string): readonly AddressVector[] {
  const { host, port } = new URL(address);
  const url = `${address}/latest/meta-data/iam/`;
  const asks = (what: string, body: unknown, headers = {}, path = chat): AddressVector => ({
    what,
    path,
    headers,
    body,
  });
  const says = (what: string, part: object): AddressVector =>
    asks(what, { ...good, messages: [{ role: "user", content: [{ type: "text", text: url }, part] }] });
  const offers = (what: string, tool: object): AddressVector => asks(what, { ...good, tools: [tool] });
  const parameters = { type: "object", properties: { a: { $ref: url } }, $schema: url, $id: url };
  return [
    ...[
      url,
      `m@${host}`,
      `//${host}/m`,
      `openai/${url}`,
      `http://2130706433:${port}/m`,
      `http://localhost:${port}/m`,
    ].map((model) => asks(`the model ${model.replace(host, "HOST").replace(port, "PORT")}`, { ...good, model })),
    ...members.map((name) => asks(`the member ${name}`, { ...good, [name]: url })),
    ...["metadata", "extra_body", "extra_headers", "litellm_params", "config", "stream_options"].map((name) =>
      asks(`members of ${name}`, { ...good, [name]: { base_url: url, api_base: url, host, url, include_usage: true } }),
    ),
    asks("fallbacks with an address", { ...good, fallbacks: [{ model: "m", api_base: url }], models: [url] }),
    ...names.map((name) => asks(`the header ${name}`, good, { [name]: name.endsWith("host") ? host : url })),
    asks("the header forwarded", good, { forwarded: `for=1;host=${host};proto=http` }),
    says("an image's address", { type: "image_url", image_url: { url } }),
    says("an image at the metadata service", {
      type: "image_url",
      image_url: { url: "http://169.254.169.254/latest/" },
    }),
    says("a file's address", { type: "file", file: { file_url: url, file_id: url } }),
    says("a video's address", { type: "video_url", video_url: { url } }),
    says("an audio's address", { type: "input_audio", input_audio: { data: url, format: "wav" } }),
    asks("a picture in Markdown", { ...good, messages: [{ role: "user", content: `![a](${url})` }] }),
    asks("a tool's result", {
      ...good,
      messages: [...good.messages, { role: "tool", tool_call_id: "c", content: `{"redirect":"${url}"}` }],
    }),
    offers("a tool on a server", { type: "mcp", server_label: "a", server_url: url, function: { name: "f" } }),
    offers("a tool's schema elsewhere", { type: "function", function: { name: "f", parameters } }),
    asks("a reply's schema elsewhere", {
      ...good,
      response_format: { type: "json_schema", json_schema: { name: "s", schema: parameters } },
    }),
    asks("a prompt", { model: "m", prompt: url }, {}, "/v1/completions"),
    asks("an input to embed", { model: "m", input: url }, {}, "/v1/embeddings"),
    ...[`/${url}`, `//${host}${chat}`, `/@${host}${chat}`, `/v1/models/${url}`, `${chat}?base_url=${url}`, url].map(
      (path) => asks(`the target ${path.replace(host, "HOST")}`, good, {}, path),
    ),
  ];
}
