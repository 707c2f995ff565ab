/** Makes streams on the CPU, and checks that the model can be stepped. */
import type { Backend } from "../backend/backend.ts";
import type { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import { checkInteger, RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { takeShape } from "../tensor/take.ts";
import { checkedStream } from "./check-steps.ts";
import { Stream } from "./cpu-stream.ts";
import { featuresOf, framePlan } from "./frames.ts";
import { ModelExecutor, type PlanOf } from "./model-executor.ts";

/** What frames are, as options of `createStream` say it. */
export interface FrameOptions {
  /** The function that the caller has called, for errors. */
  readonly where: string;
  readonly batch: number;
  readonly features?: number;
  readonly inputShape?: readonly number[];
}

interface Made {
  readonly stream: Stream;
  readonly executor: ModelExecutor;
}

/** A stream on a CPU backend, and what computes it. @throws RnnError as `createStream` does */
export async function streamOf(model: Module, backend: Backend, options: FrameOptions): Promise<Made> {
  const { where, batch, features, inputShape } = options;
  const make = async (planOf: PlanOf, rows: number): Promise<Made> => {
    const executor = await ModelExecutor.create(model, backend as CpuBackend, planOf, rows);
    const stream = new Stream(executor);
    model.dependants.add(stream);
    return { stream, executor };
  };
  if (inputShape !== undefined) return make(planOfCalls(where, model, inputShape, batch), 1);
  const sizes = featuresOf(where, model, features);
  const planOf = Object.assign((steps: number, rows: number) => framePlan(model, sizes, steps, rows), { canRunTogether: true });
  return checkedStream(where, model, batch, true, async (rows) => {
    const made = await make(planOf, rows);
    return { ...made, whole: (frames: Float32Array) => made.executor.whole(frames) };
  });
}

/** Each call of the model is one step, with an input of this shape. @throws RnnError `option`, `shape` */
function planOfCalls(where: string, model: Module, given: readonly number[], batch: number): PlanOf {
  if (batch !== 1) throw new RnnError("option", where, `batch must be 1 if inputShape is given, got ${batch}`);
  const inputShape = takeShape(where, "a call's input", given);
  for (const size of inputShape) checkInteger(where, "each size of inputShape", size, 1);
  return Object.assign(() => ({ ...framePlan(model, [], 1, 1), inputShape }), { canRunTogether: false });
}
