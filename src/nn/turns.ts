/** Runs pieces of work on the same parameters one after the other, whoever calls. */

/** For each parameter, a promise that resolves at the end of its latest turn. */
const latest = new WeakMap<object, Promise<void>>();

/**
 * Runs `act` when all earlier turns on any of the same things are over; at once if there are none. Turns on other
 * things do not wait. A turn joins all its queues at the moment of the call, so no two can wait for each other. The
 * caller's own code (batches, callbacks) must not run inside a turn, because it may wait for a turn itself.
 */
export async function inTurn<T>(things: Iterable<object>, act: () => T | Promise<T>): Promise<T> {
  const mine = [...things];
  const earlier = new Set(mine.flatMap((thing) => latest.get(thing) ?? []));
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  for (const thing of mine) latest.set(thing, ended);
  if (earlier.size > 0) await Promise.all(earlier);
  try {
    return await act();
  } finally {
    for (const thing of mine) if (latest.get(thing) === ended) latest.delete(thing);
    end();
  }
}

/** Whether a turn on any of these things is going on or waits. */
export function isTaken(things: readonly object[]): boolean {
  return things.some((thing) => latest.has(thing));
}
