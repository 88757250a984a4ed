// Loaded into the gateway's process by `--import`: tells on standard error whom it dials and which names it looks up.
import diagnostics from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import type { Socket } from "node:net";

diagnostics.subscribe("net.client.socket", (message) => {
  const { socket } = message as { socket: Socket };
  socket.on("connectionAttempt", (ip, port) => writeSync(2, `dialled ${ip}:${port}\n`));
  socket.on("lookup", (_error, _address, _family, host) => writeSync(2, `looked up ${host}\n`));
});
