/** Runs pieces of work on the same parameters one after the other, whoever calls. */

/** For each parameter, a promise that resolves at the end of its latest turn; undefined when that is over. */
const latest = new WeakMap<object, Promise<void> | undefined>();

/**
 * Runs `act` when all earlier turns on any of the same things are over; at once if there are none. Turns on other
 * things do not wait. A turn joins all its queues at the moment of the call, so no two can wait for each other. The
 * caller's own code (batches, callbacks) must not run inside a turn, because it may wait for a turn itself.
 */
export async function inTurn<T>(things: readonly object[], act: () => T | Promise<T>): Promise<T> {
  const earlier = things.flatMap((thing) => latest.get(thing) ?? []);
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  for (const thing of things) latest.set(thing, ended);
  if (earlier.length > 0) await Promise.all(new Set(earlier));
  try {
    return await act();
  } finally {
    // Not deleted: a table of which entries come and go is copied again and again.
    for (const thing of things) if (latest.get(thing) === ended) latest.set(thing, undefined);
    end();
  }
}

/** Whether a turn on any of these things is going on or waits. */
export function isTaken(things: readonly object[]): boolean {
  return things.some((thing) => latest.get(thing) !== undefined);
}
