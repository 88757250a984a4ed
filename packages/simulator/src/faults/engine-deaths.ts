import { z } from "zod";
import { defineFault, type Strike } from "../fault.ts";
import { editFrame, finishFrame, hangUp, strikeAfter } from "./outlets.ts";

/** `down_ms`: the engine then refuses connections for so long. */
const Death = z.strictObject({ down_ms: z.number().min(0).optional() });

function goDown({ exchange, engine, args }: Strike<z.infer<typeof Death>>): void {
  const ms = args.down_ms;
  if (ms === undefined) return;
  engine.state.stopping = true;
  // What was written is to arrive before the process is gone.
  exchange.socket.write("", () =>
    setImmediate(() => {
      engine.state.stopping = false;
      void engine.refuse(ms);
    }),
  );
}

export const ollamaRunnerKilled = defineFault({
  does: 'Ollama when its runner is killed: after `after_tokens` an event with `model: ""` and no text, then a clean end without `[DONE]`; the model is out of memory',
  args: Death,
  stream: (strike, inner) =>
    strikeAfter(strike, inner, (next) => {
      const { exchange, engine } = strike;
      const last = editFrame(next, (event) => {
        event.model = "";
        const choice = event.choices[0];
        if (choice?.delta !== undefined) choice.delta = { content: "" };
        if (choice?.text !== undefined) choice.text = "";
        if (choice !== undefined) choice.finish_reason = null;
      });
      exchange.chunk(last);
      for (const name of engine.state.models.names) engine.state.models.unload(name);
      exchange.endChunks();
      goDown(strike);
    }),
});

const ENGINE_DEATH =
  '{"error": {"message": "EngineCore encountered an issue. See stack trace (above) for the root cause.", "type": "InternalServerError", "param": null, "code": 500}}';

export const vllmEngineDied = defineFault({
  does: "vLLM when its engine dies: after `after_tokens` an error event with code 500, then `[DONE]` and a clean end",
  args: Death,
  stream: (strike, inner) =>
    strikeAfter(strike, inner, () => {
      strike.exchange.chunk(`data: ${ENGINE_DEATH}\n\n`);
      strike.exchange.chunk("data: [DONE]\n\n");
      strike.exchange.endChunks();
      goDown(strike);
    }),
});

export const vllmStopped = defineFault({
  does: 'vLLM on SIGTERM: after `after_tokens` a chunk with `finish_reason: "abort"`, then `[DONE]` and a clean end',
  args: Death,
  stream: (strike, inner) =>
    strikeAfter(strike, inner, (next) => {
      strike.exchange.chunk(finishFrame(next, "abort"));
      strike.exchange.chunk("data: [DONE]\n\n");
      strike.exchange.endChunks();
      goDown(strike);
    }),
});

export const llamaStopped = defineFault({
  does: "llama-server on SIGTERM: the body is cut (FIN) after `after_tokens`, without an error event and without the last chunk",
  args: Death,
  stream: (strike, inner) =>
    strikeAfter(strike, inner, () => {
      hangUp(strike.exchange);
      goDown(strike);
    }),
});

export const interrupted = defineFault({
  does: "llama-cpp-python when a second request comes: after `after_tokens` `[DONE]` without a finish_reason, then a broken end",
  args: Death,
  stream: (strike, inner) =>
    strikeAfter(strike, inner, () => {
      strike.exchange.chunk("data: [DONE]\n\n");
      hangUp(strike.exchange);
      goDown(strike);
    }),
});
