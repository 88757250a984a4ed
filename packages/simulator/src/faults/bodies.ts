import { gzipSync } from "node:zlib";
import { z } from "zod";
import { defineFault, NO_ARGS } from "../fault.ts";
import { endsChoice } from "../outlet.ts";
import { finishFrame, hangUp, pour } from "./outlets.ts";

export const truncatedJson = defineFault({
  does: "announces the whole length of a JSON body, sends half of it and closes",
  args: NO_ARGS,
  whole: ({ engine, exchange }, head, body) => {
    exchange.raw(engine.kind.head(head) + body.slice(0, Math.floor(body.length / 2)));
    hangUp(exchange);
  },
});

export const notJson = defineFault({
  does: "answers 200 and application/json with half of the JSON, its length announced truly",
  args: NO_ARGS,
  whole: ({ engine, exchange }, head, body) => {
    const half = body.slice(0, Math.floor(body.length / 2));
    exchange.send(engine.kind.head({ ...head, length: Buffer.byteLength(half) }), half);
  },
});

export const wrongContentType = defineFault({
  does: "sends the genuine answer under another `content_type` (text/plain)",
  args: z.strictObject({ content_type: z.string().default("text/plain") }),
  head: ({ args }, head) => ({ ...head, contentType: args.content_type }),
});

export const noChoices = defineFault({
  does: "answers with `choices: []` and nothing else that counts, streamed or not",
  args: NO_ARGS,
  stream: (_strike, inner) => {
    let sent = false;
    return {
      ...inner,
      stopped: false,
      frame: (text, role) => {
        if (role === "done") return inner.frame(text, role);
        if (sent || role !== "token") return;
        sent = true;
        const event = JSON.parse(text.slice("data: ".length)) as object;
        inner.frame(`data: ${JSON.stringify({ ...event, choices: [] })}\n\n`, role);
      },
    };
  },
  whole: ({ engine, exchange }, head, body) => {
    const made = JSON.stringify({ ...(JSON.parse(body) as object), choices: [] });
    exchange.send(engine.kind.head({ ...head, length: Buffer.byteLength(made) }), made);
  },
});

export const noWords = defineFault({
  does: "finishes with `stop` at once: no content, and a usage of zeros where usage is sent",
  args: NO_ARGS,
  stream: (_strike, inner) => ({
    ...inner,
    stopped: false,
    frame: (text, role) => {
      if (role === "token") return;
      const made = endsChoice(role) ? finishFrame(text, "stop") : text;
      inner.frame(role === "usage" ? made.replace(/_tokens":\d+/g, '_tokens":0') : made, role);
    },
  }),
  whole: ({ engine, exchange }, head, body) => {
    const json = JSON.parse(body) as { choices?: { message?: { content: string }; text?: string }[]; usage?: object };
    for (const choice of json.choices ?? []) {
      if (choice.message !== undefined) choice.message = { ...choice.message, content: "" };
      if (choice.text !== undefined) choice.text = "";
    }
    const made = JSON.stringify(json).replace(/_tokens":\d+/g, '_tokens":0');
    exchange.send(engine.kind.head({ ...head, length: Buffer.byteLength(made) }), made);
  },
});

export const gzipBody = defineFault({
  does: "sends a JSON answer compressed with gzip, whatever was asked for",
  args: NO_ARGS,
  whole: ({ engine, exchange }, head, body) => {
    const bytes = gzipSync(body);
    const extra: [string, string][] = [...(head.extra ?? []).map(([name, value]): [string, string] => [name, value])];
    extra.push(["content-encoding", "gzip"]);
    exchange.send(engine.kind.head({ ...head, length: bytes.length, extra }), bytes);
  },
});

const MEMBER_MEGABYTES = 16;

export const gzipBomb = defineFault({
  does: "answers 200 with a gzip body that unpacks to `megabytes` (256) of spaces",
  args: z.strictObject({ megabytes: z.number().int().min(1).default(256) }),
  answer: ({ engine, exchange, args }) => {
    const member = gzipSync(Buffer.alloc(Math.min(MEMBER_MEGABYTES, args.megabytes) * 1_048_576, " "));
    const length = Math.ceil(args.megabytes / MEMBER_MEGABYTES) * member.length;
    const extra: [string, string][] = [["content-encoding", "gzip"]];
    exchange.close = true;
    exchange.raw(engine.kind.head({ status: 200, contentType: "application/json", length, close: true, extra }));
    pour(exchange, member, length, () => exchange.finish());
  },
});
