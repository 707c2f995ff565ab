/** Streams, as the bench measures them: calls that each take the next frames. */
import { createBackend, createBatcher, createStream, type Backend } from "webgpu-rnn";
import type { Case } from "./cases.ts";
import type { Library, Subject } from "./library.ts";
import { streamModel } from "./models.ts";
import { streamCalls, type Problem } from "./problem.ts";

/** Takes frames [steps, batch, input], gives results [steps, batch, output]. */
type Call = (frames: Float32Array) => Float32Array | Promise<Float32Array>;

/** Checks and times a stream of any library. */
export function subjectOfCalls(call: Call, { inputs }: Problem): Pick<Subject, "check" | "run"> {
  const length = inputs.length / streamCalls;
  const frames = Array.from({ length: streamCalls }, (_, i) => inputs.slice(i * length, (i + 1) * length));
  return {
    async check() {
      const output: number[] = [];
      for (const one of frames) output.push(...(await call(one)));
      return { output: Float32Array.from(output) };
    },
    async run(times) {
      for (let i = 0; i < times; i++) {
        const result = call(frames[i % streamCalls]);
        // Awaiting what is no promise would cost as much as a small layer.
        if (result instanceof Promise) await result;
      }
    },
  };
}

function loaded(problem: Problem): ReturnType<typeof streamModel> {
  const model = streamModel(problem);
  model.loadStateDict(problem.weights);
  return model;
}

/** `step` for single frames of all rows, else `steps`. */
export async function streamSubject(backend: Backend, problem: Problem): Promise<Omit<Subject, "free">> {
  const { steps, batch } = problem;
  const stream = await createStream(loaded(problem), { batch, backend });
  const into = new Float32Array(steps * batch * stream.outputSize);
  if (steps === 1) return subjectOfCalls((frame) => stream.step(frame), problem);
  return subjectOfCalls((frames) => stream.steps(frames, into), problem);
}

/** The other ways to a frame of each of several streams. */
const ways: Readonly<Record<string, (problem: Problem, backend: Backend) => Promise<Call>>> = {
  async stepRows(problem, backend) {
    const stream = await createStream(loaded(problem), { batch: problem.batch, backend });
    const rows = Array.from({ length: problem.batch }, (_, i) => i);
    return (frames) => (stream as { stepRows(rows: number[], frames: Float32Array): Float32Array }).stepRows(rows, frames);
  },
  async batcher(problem, backend) {
    const { batch, input, hidden } = problem;
    const batcher = await createBatcher(loaded(problem), { maxBatch: batch, maxWaitMs: 0, backend });
    const ids = Array.from({ length: batch }, (_, i) => `user ${i}`);
    const output = new Float32Array(batch * hidden);
    const rows = ids.map((_, i) => output.subarray(i * hidden, (i + 1) * hidden));
    return async (frames) => {
      await Promise.all(ids.map((id, i) => batcher.step(id, frames.subarray(i * input, (i + 1) * input), rows[i])));
      return output;
    };
  },
};

/** @param adapter the CPU in words */
export const waysToRows = (adapter: string): Library[] =>
  Object.entries(ways).map(([name, make]) => ({
    name: "webgpu-rnn",
    backend: `cpu ${name}`,
    adapter,
    modes: ["stream"],
    refuses: ({ steps, batch }: Case) => (steps === 1 && batch > 1 ? undefined : "it is for a frame of each of several streams"),
    async prepare(_: Case, problem: Problem) {
      const backend = await createBackend("cpu", { threads: 1 });
      return { ...subjectOfCalls(await make(problem, backend), problem), counters: backend.counters, free: () => backend.destroy() };
    },
  }));
