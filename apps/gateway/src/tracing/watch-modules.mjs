// For a test: says on standard error which of OpenTelemetry's packages a process loads.
import { registerHooks } from "node:module";

registerHooks({
  load(url, context, next) {
    const name = /node_modules\/@opentelemetry\/([\w-]+)\//.exec(url)?.[1];
    if (name !== undefined) process.stderr.write(`loads ${name}\n`);
    return next(url, context);
  },
});
