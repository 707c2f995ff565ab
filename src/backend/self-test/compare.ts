/** The comparison of a device's numbers with the twin's. */
import type { NumericArray } from "../../tensor/tensor.ts";

/** |device - twin| <= atol + rtol·|twin|; integers must be equal. */
export interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

export interface Comparison {
  /** Greatest |device - twin|. */
  readonly worstDifference: number;
  /** First element outside the tolerance, or -1; and both values there. */
  readonly firstBadIndex: number;
  readonly device?: number;
  readonly twin?: number;
}

export function compareArrays(got: NumericArray, expected: NumericArray, { atol, rtol }: Tolerance): Comparison {
  const exact = !(expected instanceof Float32Array || expected instanceof Float64Array);
  let worstDifference = 0;
  let firstBadIndex = -1;
  for (let i = 0; i < expected.length; i++) {
    // Infinities of one sign agree, and so do two NaN.
    if (got[i] === expected[i] || (Number.isNaN(got[i]) && Number.isNaN(expected[i]))) continue;
    const difference = Math.abs(got[i] - expected[i]);
    // Negated, so that NaN is outside the tolerance.
    if ((exact || !(difference <= atol + rtol * Math.abs(expected[i]))) && firstBadIndex < 0) firstBadIndex = i;
    if (!(difference <= worstDifference)) worstDifference = difference;
  }
  return { worstDifference, firstBadIndex, ...(firstBadIndex < 0 ? {} : { device: got[firstBadIndex], twin: expected[firstBadIndex] }) };
}
