/** Does the work of `generateTokens`: a recording that draws one token, run 32 times in each submit. */
import { RnnError, show } from "../errors.ts";
import { advancePosition, sampleToken } from "../kernels/sample-token.ts";
import type { Module } from "../nn/module.ts";
import { breathe } from "../backend/breathe.ts";
import { CarriedRuns } from "../session/carried-runs.ts";
import { randomWords, type RunContext, type RecordingPlan } from "../session/run-context.ts";
import { openReadings, type Reading } from "../session/reading.ts";
import { Session } from "../session/session.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { Sampling } from "./generate.ts";

/** Tokens per submit. The caller waits for one read-back for each submit. */
const chunk = 32;

/**
 * Draws the tokens of all prompts together, each as it would be drawn alone.
 * @returns pieces, with the tokens of each prompt; empty for those that have ended
 * @see generateTokens
 */
export async function* drawTokens(
  model: Module,
  { backend, prompts, length, temperature, topK, seeds, stop, signal }: Sampling,
): AsyncGenerator<Uint32Array[], void, undefined> {
  const session = Session.of(model, backend);
  const rows = prompts.length;
  const position = backend.createBuffer("generate.position", "u32", 1);
  const tokens = backend.createBuffer("generate.token", "u32", rows);
  const own = { position, input: tokens, history: backend.createBuffer("generate.history", "u32", chunk * rows) };
  const plan = tokenPlan(model, prompts);
  const drawing = new Uint32Array(rows).fill(1);
  const inputsFor = (lengths: Uint32Array): Record<string, NumericArray> => ({
    seeds: Uint32Array.from(seeds.flatMap((seed) => [...randomWords(seed, 0)])),
    sampling: Float32Array.of(temperature, topK),
    ...(plan.steps === "lengths" && { lengths }),
  });
  let runs: CarriedRuns | undefined;
  let reading: Reading | undefined;
  try {
    [reading] = await openReadings([session]);
    runs = await CarriedRuns.make(session, plan, (context) => recordToken(context, model.idCount!), own, reading);
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    for (let i = 0; i < longest; i++) {
      if (signal?.aborted) return;
      // Rows that have read all but the last token of their prompt wait for the others with it.
      const places = prompts.map((prompt) => Math.min(i, prompt.length - 1));
      backend.write(
        tokens,
        prompts.map((prompt, row) => prompt[places[row]]),
      );
      // Tokens drawn before the end of the prompt are ignored.
      backend.write(position, [0]);
      if (i < longest - 1) await runs.run(inputsFor(Uint32Array.from(prompts, (prompt) => (i < prompt.length - 1 ? 1 : 0))), { reading });
    }
    const going = prompts.map(() => true);
    for (let done = 0; done < length && !signal?.aborted; done += chunk) {
      const count = Math.min(chunk, length - done);
      const { downloads } = await runs.run(inputsFor(drawing), { repeat: count, reading });
      const history = (await downloads).history as Uint32Array;
      yield going.map((goes, row) => {
        if (!goes) return new Uint32Array();
        const drawn = Uint32Array.from({ length: count }, (_, i) => history[((done + i) % chunk) * rows + row]);
        const end = stop === undefined ? -1 : drawn.indexOf(stop);
        going[row] = end < 0;
        return end < 0 ? drawn : drawn.slice(0, end);
      });
      if (!going.includes(true)) return;
      // On the CPU, the calls above may not have let the event loop run.
      await breathe();
    }
  } finally {
    reading?.close();
    runs?.free();
    for (const buffer of Object.values(own)) backend.free(buffer);
  }
}

/** One id in, one drawn, for each prompt. Rows wait for others by their lengths, 0 or 1, if the prompts differ in length. */
export function tokenPlan(model: Module, prompts: readonly { readonly length: number }[]): RecordingPlan {
  return {
    inputShape: model.batchFirst ? [prompts.length, 1] : [1, prompts.length],
    inputStays: true,
    states: { kind: "carried" },
    steps: prompts.some(({ length }) => length !== prompts[0].length) ? "lengths" : "all",
    training: false,
    differentiates: false,
  };
}

/** Records one token of each row: the logits after the present token, a draw, and the drawn token in its place. */
export function recordToken(context: RunContext, vocabulary: number): void {
  const { recording, input, output } = context;
  const columns = output.shape[output.shape.length - 1];
  if (columns !== vocabulary)
    throw new RnnError("shape", "generate", `the model must give one logit per id, ${vocabulary}, got ${show([...output.shape])}`);
  const rows = sizeOf(input.shape);
  const sampling = recording.buffer("sampling", [2], "input");
  const seeds = recording.buffer("seeds", [rows, 4], "input", "u32");
  const history = context.external("history", [chunk, rows], "u32");
  const position = context.external("position", [1], "u32");
  recording.dispatch(
    sampleToken,
    { logits: output.view, sampling, random: seeds, position, tokens: input.view, history },
    { rows, columns, capacity: chunk, stream: samplingStream, separate: 1 },
  );
  recording.dispatch(advancePosition, { position }, { by: 1 });
  recording.download("history", history);
}

/** A stream of the random generator that no dropout layer uses. */
const samplingStream = 0x73616d70;
