/** Milliseconds since some moment. In worklets, which have no `performance`, they are integers. */
export function now(): number {
  return (globalThis as { performance?: { now(): number } }).performance?.now() ?? Date.now();
}
