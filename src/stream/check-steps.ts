import { RnnError } from "../errors.ts";
import type { Stream } from "./cpu-stream.ts";

/** As many frames as one recording computes together. */
const frameCount = 16;

/** Differences that rounding explains; what a step does not know of others is far greater. */
const tolerance = 1e-3;

/**
 * Compares steps computed together with the same ones computed one after the other. The states are zeros afterwards.
 * @param ids number of ids, if the frames are ids
 * @throws RnnError `option` if the model needs other steps than its states tell of, as convolutions and pooling do
 */
export function checkSteps(stream: Stream, ids: number | undefined): void {
  const width = stream.batch * stream.inputSize;
  const frames = Float32Array.from({ length: frameCount * width }, (_, i) => (ids === undefined ? Math.sin(i * 1.7) : (i * 7) % ids));
  const together = stream.steps(frames);
  stream.reset();
  for (let t = 0; t < frameCount; t++) {
    const one = stream.step(frames.subarray(t * width, (t + 1) * width));
    const other = together.subarray(t * one.length, (t + 1) * one.length);
    // Numbers that overflow are NaN in both.
    const differs = one.some((x, i) => Math.abs(x - other[i]) > tolerance * (1 + Math.abs(x)));
    if (differs)
      throw new RnnError(
        "option",
        "createStream",
        `needs a model whose steps know of earlier ones by states only: step ${t} of a sequence is another one by itself; convolutions, pooling and sums over time need whole sequences`,
      );
  }
  stream.reset();
}
