/** Makes streams on the CPU, and checks that the model can be stepped. */
import type { Backend } from "../backend/backend.ts";
import type { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import type { Module } from "../nn/module.ts";
import { checkedStream } from "./check-steps.ts";
import { Stream } from "./cpu-stream.ts";
import { featuresOf } from "./frames.ts";
import { ModelExecutor } from "./model-executor.ts";

/** A stream on a CPU backend, and what computes it. @throws RnnError as `createStream` does */
export async function streamOf(
  model: Module,
  backend: Backend,
  given: number | undefined,
  batch: number,
): Promise<{ readonly stream: Stream; readonly executor: ModelExecutor }> {
  const features = featuresOf(model, given);
  return checkedStream(model, batch, true, async (rows) => {
    const executor = await ModelExecutor.create(model, backend as CpuBackend, features, rows);
    const stream = new Stream(executor);
    model.dependants.add(stream);
    return { stream, executor, whole: (frames: Float32Array) => executor.whole(frames) };
  });
}
