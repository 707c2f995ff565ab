import { RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import type { NumericArray } from "../tensor/tensor.ts";

/** What the check needs of a stream. */
interface Checkable {
  readonly batch: number;
  readonly inputSize: number;
  step(frame: Float32Array): Float32Array | Promise<Float32Array>;
  readonly outputSize: number;
  reset(): void | Promise<void>;
  dispose(): void;
}

/** A stream, and what `forward` gives for frames [steps, batch, inputSize]. */
export interface Made<T extends Checkable> {
  readonly stream: T;
  readonly whole: (frames: Float32Array) => Promise<NumericArray>;
}

/** Most rows of a stream that is checked itself; for more, one row is. */
const mostChecked = 4;

/** As many frames as one recording computes together. */
const frameCount = 16;

/** Differences that rounding explains; what a step does not know of others is far greater. */
const tolerance = 1e-3;

/**
 * Compares the steps of `forward` with the same ones computed one after the other. The stream is at its beginning
 * afterwards.
 * @param where the function that the caller has called
 * @param ids number of ids, if the frames are ids
 * @throws RnnError `option` if the model needs other steps than its states tell of, as convolutions and pooling do
 */
async function checkSteps(where: string, { stream, whole }: Made<Checkable>, ids: number | undefined): Promise<void> {
  const width = stream.batch * stream.inputSize;
  const frames = Float32Array.from({ length: frameCount * width }, (_, i) => (ids === undefined ? Math.sin(i * 1.7) : (i * 7) % ids));
  const together = await whole(frames);
  // Some models give the last step only.
  const shown = together.length / stream.batch / stream.outputSize;
  await stream.reset();
  for (let t = 0; t < frameCount; t++) {
    const one = await stream.step(frames.subarray(t * width, (t + 1) * width));
    const at = (t - frameCount + shown) * one.length;
    if (at < 0) continue;
    const other = together.subarray(at, at + one.length);
    // Numbers that overflow are NaN in both.
    const differs = one.some((x, i) => Math.abs(x - other[i]) > tolerance * (1 + Math.abs(x)));
    if (differs)
      throw new RnnError(
        "option",
        where,
        `needs a model whose steps know of earlier ones by states only: step ${t} of a sequence is another one by itself; convolutions, pooling and sums over time need whole sequences, and a module gives those inside it other first states than zeros by context.within({ initialState })`,
      );
  }
  await stream.reset();
}

/**
 * The stream that `make` makes for so many rows, once the model's steps have been compared.
 * @param mayCheckItself false if always another stream, of one row, is checked, and disposed of
 * @throws RnnError as `checkSteps` and `make` do
 */
export async function checkedStream<M extends Made<Checkable>>(
  where: string,
  model: Module,
  batch: number,
  mayCheckItself: boolean,
  make: (rows: number) => Promise<M>,
): Promise<M> {
  const checked = async (rows: number): Promise<M> => {
    const made = await make(rows);
    try {
      await checkSteps(where, made, model.idCount);
      return made;
    } catch (error) {
      made.stream.dispose();
      throw error;
    }
  };
  // Rows of a model that is batch first do not lie so that steps can be computed together.
  if (mayCheckItself && batch <= mostChecked && (batch === 1 || !model.batchFirst)) return checked(batch);
  (await checked(1)).stream.dispose();
  return make(batch);
}
