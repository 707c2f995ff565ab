import { mostFloat, RnnError } from "../errors.ts";
import { finiteProblem } from "./tensor.ts";

/**
 * A number times 0 is 0, or NaN if it is not finite, and no sum loses a NaN. Four sums: one addition would wait for the
 * other. Not made by destructuring, with which V8 takes four times as long.
 */
function allFinite(data: Float32Array): boolean {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const { length } = data;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    a += data[i] * 0;
    b += data[i + 1] * 0;
    c += data[i + 2] * 0;
    d += data[i + 3] * 0;
  }
  for (; i < length; i++) a += data[i] * 0;
  return a + b + c + d === 0;
}

/** Index of the first number that is not from `least` to `most`, as NaN is not; -1 if there is none. */
export function firstOutside(data: ArrayLike<number>, least: number, most: number): number {
  if (data instanceof Float32Array && least === -mostFloat && most === mostFloat && allFinite(data)) return -1;
  // Negated, so that NaN is found.
  for (let i = 0; i < data.length; i++) if (!(data[i] >= least && data[i] <= most)) return i;
  return -1;
}

/**
 * Refuses NaN, infinities and numbers that are infinite in float32; the error names the first index.
 * @throws RnnError `data`
 */
export function checkFinite(where: string, name: string, data: ArrayLike<number>): void {
  const bad = firstOutside(data, -mostFloat, mostFloat);
  if (bad >= 0) throw new RnnError("data", where, finiteProblem(name, data[bad], bad, -mostFloat));
}
