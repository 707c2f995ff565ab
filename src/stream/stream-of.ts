/** Makes streams, and checks that the model can be stepped. */
import type { Backend } from "../backend/backend.ts";
import type { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import type { Module } from "../nn/module.ts";
import { checkSteps } from "./check-steps.ts";
import { Stream } from "./cpu-stream.ts";
import { featuresOf } from "./frames.ts";

/** Most rows of a stream that is checked itself; for more, one row is. */
const mostChecked = 4;

/** A stream on a CPU backend. @throws RnnError as `createStream` does */
export async function streamOf(model: Module, backend: Backend, given: number | undefined, batch: number): Promise<Stream> {
  const features = featuresOf(model, given);
  const streamWith = async (rows: number, isChecked: boolean): Promise<Stream> => {
    const stream = await Stream.create(model, backend as CpuBackend, features, rows);
    try {
      if (isChecked) checkSteps(stream, model.idCount);
      return stream;
    } catch (error) {
      stream.dispose();
      throw error;
    }
  };
  // Rows of a model that is batch first do not lie so that steps can be computed together.
  const alone = batch > mostChecked || (batch > 1 && model.batchFirst);
  if (alone) (await streamWith(1, true)).dispose();
  return streamWith(batch, !alone);
}
