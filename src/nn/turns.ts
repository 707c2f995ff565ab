/** The order of what uses the same parameters: one act after the other, whoever asks for it. */

/** The end of the latest act on each thing. */
const latest = new WeakMap<object, Promise<void>>();

/**
 * Does `act` once all acts on any of the same things that were asked for earlier are over; at once if there are none. Acts
 * on other things do not wait. An act joins all its queues in the moment of the call, so no two can wait for each other.
 * Code of the caller's (batches, callbacks) must not run inside an act: it may wait for a turn itself.
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
