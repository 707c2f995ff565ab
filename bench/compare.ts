/** The check before anything is timed. */
import type { Outcome } from "./problem.ts";

export const tolerance = 1e-4;

export interface Comparison {
  /** Largest |a - b| / (|b| + rms b) over all arrays. */
  readonly worst: number;
  /** Why it must not be timed, or undefined. */
  readonly problem: string | undefined;
}

/**
 * Compares a library's results with the twins': |a - b| <= tolerance (|b| + rms b), element by element, so that small
 * gradients do not pass as zeros.
 * @param required names that must be present
 */
export function compare(got: Outcome, expected: Outcome, required: readonly string[] = Object.keys(expected)): Comparison {
  let worst = 0;
  let problem: string | undefined;
  const complain = (text: string): void => void (problem ??= text);
  for (const name of required) if (!(name in got)) complain(`gives no ${name}`);
  for (const [name, values] of Object.entries(got)) {
    const wanted = expected[name];
    if (!wanted) complain(`gives "${name}", which nobody expects`);
    else if (wanted.length !== values.length) complain(`${name} has ${values.length} numbers instead of ${wanted.length}`);
    else {
      const found = worstOf(values, wanted);
      // Negated, so that NaN fails.
      if (!(found.error <= tolerance)) complain(`${name}[${found.index}] is ${values[found.index]}, the twin has ${wanted[found.index]}`);
      if (!(found.error <= worst)) worst = found.error;
    }
  }
  return { worst, problem };
}

function worstOf(values: Float32Array, wanted: Float32Array): { error: number; index: number } {
  const scale = Math.sqrt(wanted.reduce((sum, v) => sum + v * v, 0) / Math.max(1, wanted.length)) || 1;
  let error = 0;
  let index = 0;
  for (let i = 0; i < wanted.length; i++) {
    const here = Math.abs(values[i] - wanted[i]) / (Math.abs(wanted[i]) + scale);
    if (here <= error) continue;
    error = here;
    index = i;
    if (Number.isNaN(here)) break;
  }
  return { error, index };
}
