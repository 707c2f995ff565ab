/**
 * What the bench uses of AssemblyScript's compiler. The package's own declarations make `at` of all arrays in the program
 * give an element always.
 */
export function compileString(
  source: string,
  options: Record<string, unknown>,
): Promise<{ error: Error | null; binary: Uint8Array | null }>;
