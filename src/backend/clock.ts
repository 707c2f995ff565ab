/** Milliseconds since some moment; in worklets, which have no `performance`, whole ones. */
export function now(): number {
  return (globalThis as { performance?: { now(): number } }).performance?.now() ?? Date.now();
}
