/** Slots and the queue before them, first come first served. */
export interface Admission {
  running(): number;
  waiting(): number;
  /** Calls `start` when a slot is free (at once where one is); false = the queue is full and nothing will happen. */
  enter(start: (ticket: Ticket) => void): Ticket | false;
}

interface Ticket {
  /** Has a slot. */
  readonly started: boolean;
  /** Gives the slot or the place in the queue back; a second call does nothing. */
  leave(): void;
}

/** Admits `slots` requests at once and lets `queue` more wait. */
export function createAdmission(slots: number, queue: number): Admission {
  const waiters: (() => void)[] = [];
  let running = 0;
  const release = (): void => {
    running -= 1;
    waiters.shift()?.();
  };
  return {
    running: () => running,
    waiting: () => waiters.length,
    enter: (start) => {
      let state: "waiting" | "started" | "left" = "waiting";
      const begin = (): void => {
        running += 1;
        state = "started";
        start(ticket);
      };
      const ticket: Ticket = {
        get started() {
          return state === "started";
        },
        leave: () => {
          if (state === "left") return;
          const before = state;
          state = "left";
          if (before === "started") release();
          else waiters.splice(waiters.indexOf(begin), 1);
        },
      };
      if (running < slots) {
        begin();
        return ticket;
      }
      if (waiters.length >= queue) return false;
      waiters.push(begin);
      return ticket;
    },
  };
}
