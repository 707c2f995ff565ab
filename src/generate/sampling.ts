/** Does the work of `generateTokens`: a recording that draws one token, run 32 times in each submit. */
import type { DeviceBuffer, Program } from "../backend/backend.ts";
import { RnnError, show } from "../errors.ts";
import { advancePosition, sampleToken } from "../kernels/sample-token.ts";
import type { Module } from "../nn/module.ts";
import type { Buffer } from "../recording/recording.ts";
import { breathe } from "../backend/breathe.ts";
import { CarriedStates } from "../session/carried-states.ts";
import { randomWords, type RunContext, type RecordingPlan } from "../session/run-context.ts";
import type { Reading } from "../session/reading.ts";
import { Session } from "../session/session.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { Sampling } from "./generate.ts";

/** Tokens per submit. The caller waits for one read-back for each submit. */
const chunk = 32;

/** @see generateTokens */
export async function* drawTokens(
  model: Module,
  { backend, prompt, length, temperature, topK, seed, stop, signal }: Sampling,
): AsyncGenerator<Uint32Array, void, undefined> {
  const session = Session.of(model, backend);
  const carried = new CarriedStates(backend);
  const position = backend.createBuffer("generate.position", "u32", 1);
  const token = backend.createBuffer("generate.token", "u32", 1);
  const own: Record<string, DeviceBuffer> = { position, input: token, history: backend.createBuffer("generate.history", "u32", chunk) };
  const memoryFor = (label: string, buffer: Buffer): DeviceBuffer => own[label] ?? carried.memoryFor(label, buffer);
  let program: Program | undefined;
  let reading: Reading | undefined;
  try {
    ({ program } = await session.make(tokenPlan, (context) => recordToken(context, model.idCount!), memoryFor));
    [reading] = await Session.readings([session]);
    const inputs: Record<string, NumericArray> = { random: randomWords(seed, 0), sampling: Float32Array.of(temperature, topK) };
    for (let i = 0; i < prompt.length; i++) {
      if (signal?.aborted) return;
      backend.write(token, [prompt[i]]);
      // Tokens drawn before the end of the prompt are ignored.
      backend.write(position, [0]);
      if (i < prompt.length - 1) await session.run(program, inputs, { reading });
    }
    for (let done = 0; done < length && !signal?.aborted; done += chunk) {
      const count = Math.min(chunk, length - done);
      const { downloads } = await session.run(program, inputs, { repeat: count, reading });
      const history = (await downloads).history as Uint32Array;
      const drawn = Uint32Array.from({ length: count }, (_, i) => history[(done + i) % chunk]);
      const end = stop === undefined ? -1 : drawn.indexOf(stop);
      yield end < 0 ? drawn : drawn.slice(0, end);
      if (end >= 0) return;
      // On the CPU, the calls above may not have let the event loop run.
      await breathe();
    }
  } finally {
    reading?.close();
    program?.free();
    carried.free();
    for (const buffer of Object.values(own)) backend.free(buffer);
  }
}

/** One id in, one drawn. */
export const tokenPlan: RecordingPlan = {
  inputShape: [1, 1],
  inputStays: true,
  states: { kind: "carried" },
  steps: "all",
  training: false,
  differentiates: false,
};

/** Records one token: the logits after the present token, a draw, and the drawn token in its place. */
export function recordToken(context: RunContext, vocabulary: number): void {
  const { recording, output } = context;
  const columns = output.shape[output.shape.length - 1];
  if (columns !== vocabulary)
    throw new RnnError("shape", "generate", `the model must give one logit per id, ${vocabulary}, got ${show([...output.shape])}`);
  const sampling = recording.buffer("sampling", [2], "input");
  const history = context.external("history", [chunk, 1], "u32");
  const position = context.external("position", [1], "u32");
  recording.dispatch(
    sampleToken,
    { logits: output.view, sampling, random: context.random, position, tokens: context.input.view, history },
    { rows: 1, columns, capacity: chunk, stream: samplingStream },
  );
  recording.dispatch(advancePosition, { position }, { by: 1 });
  recording.download("history", history);
  context.keepStates();
}

/** A stream of the random generator that no dropout layer uses. */
const samplingStream = 0x73616d70;
