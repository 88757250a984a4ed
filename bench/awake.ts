// Load generator and upstream in one process that never sleeps: whoever writes to it wakes nobody up.
import "./upstream.ts";
import "./load.ts";

function poll(): void {
  setImmediate(poll);
}
poll();
