import { constants, fstatSync, openSync, write } from "node:fs";
import { Socket } from "node:net";

/** Writes bytes in the background. */
export interface LineSink {
  /** Calls back with how many bytes were taken, perhaps not all, or with why none were. Called again only behind that. */
  write(bytes: Buffer, from: number, done: (error: NodeJS.ErrnoException | null, taken: number) => void): void;
  /** Gives up what is being written, where that would keep the process from its end. */
  giveUp(): void;
}

/**
 * A sink to a file descriptor that never blocks a thread of the process: a write to a full pipe would hold one of the few that
 * look up names and read files, and the process could not even end. What a pipe is opened anew for is a mode of our own:
 * that of the descriptor we were given is shared with others.
 */
export function openLineSink(fd: number): LineSink {
  try {
    const stats = fstatSync(fd);
    if (stats.isSocket()) return socketSink(fd);
    if (stats.isFIFO()) return fileSink(openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    // Not a system with /proc, or a pipe that we may not open: as it was given.
  }
  return fileSink(fd);
}

function fileSink(fd: number): LineSink {
  return { write: (bytes, from, done) => write(fd, bytes, from, bytes.length - from, null, done), giveUp() {} };
}

function socketSink(fd: number): LineSink {
  const socket = new Socket({ fd, readable: false, writable: true });
  // Every write is told of it by its own callback.
  socket.on("error", () => {});
  return {
    write(bytes, from, done) {
      const rest = bytes.subarray(from);
      socket.write(rest, (error) => done(error ?? null, error ? 0 : rest.length));
    },
    giveUp: () => socket.destroy(),
  };
}
