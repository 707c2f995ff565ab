/** Numbers from 0 to 1, the same for the same seed. */
export function uniformFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The list, shuffled. */
export function shuffled<T>(list: readonly T[], seed: number): T[] {
  const uniform = uniformFrom(seed);
  return list
    .map((item) => ({ item, key: uniform() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
