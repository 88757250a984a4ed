const question = "How does a signal box keep two trains off one stretch of track? Answer in a few plain sentences.";
const number = "00000000";

const body = {
  model: "auto",
  messages: [
    { role: "system", content: "You are a helpful assistant of the operations team. Be brief and exact." },
    { role: "user", content: `Question ${number}. ${question}` },
  ],
  temperature: 0.7,
  top_p: 0.95,
};

/** A chat request of a few hundred bytes, whole with its head, in which a number can be changed. */
export interface ChatRequest {
  readonly bytes: Buffer;
  /** Gives the request a question of its own. `sequence` below 100 million. */
  renumber(sequence: number): void;
}

/** What an OpenAI client would send to this port. `tokens` asks for a stream of so many content events. */
export function chatRequest(port: number, key: string, tokens?: number): ChatRequest {
  const stream = { max_tokens: tokens, stream: true, stream_options: { include_usage: true } };
  const json = JSON.stringify(tokens === undefined ? { ...body, max_tokens: 256 } : { ...body, ...stream });
  const head = [
    "POST /v1/chat/completions HTTP/1.1",
    `host: 127.0.0.1:${port}`,
    "connection: keep-alive",
    "accept: application/json",
    "user-agent: OpenAI/JS 7.55.0",
    `authorization: Bearer ${key}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(json)}`,
  ];
  const bytes = Buffer.from(`${head.join("\r\n")}\r\n\r\n${json}`);
  const at = bytes.indexOf(number);
  return {
    bytes,
    renumber: (sequence) => bytes.write(String(sequence).padStart(number.length, "0"), at, "latin1"),
  };
}
