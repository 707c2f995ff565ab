import type { Backend } from "../backend/backend.ts";
import { checkCount, checkNumber, checkSize, RnnError, show } from "../errors.ts";
import { isA, takeOptions } from "../options.ts";
import { planFor } from "../session/plan.ts";
import { whileReading, type Reading } from "../session/reading.ts";
import { CarriedRuns } from "../session/carried-runs.ts";
import { forwardOf } from "../session/run.ts";
import { Session } from "../session/session.ts";
import type { DeviceBuffer } from "../backend/backend.ts";
import { checkIds, type FloatArray, type NumericArray, type Tensor } from "../tensor/tensor.ts";
import { Seq2Seq } from "./seq2seq.ts";
import { source as sourceOf, takeSentences, type Sentence } from "./sentences.ts";

/** A target that was found for a source. */
export interface Hypothesis {
  /** Ids, without the end mark. */
  tokens: number[];
  /** ln P(tokens | source), the end included if it was reached. */
  logProbability: number;
  /** logProbability divided by the length penalty; hypotheses are ordered by it. */
  score: number;
  /** True if the end was reached within `maxLength`. */
  finished: boolean;
  /** [steps, source length]: the attention weights before each token and before the end. */
  attention: Tensor<FloatArray>;
}

/** Options of the search. */
export interface BeamSearchOptions {
  backend: Backend;
  /** The target id that marks the end, and comes before the first token. */
  end: number;
  /** Hypotheses kept at each step (default 5); 1 is greedy search. */
  beams?: number;
  /** Most tokens, with the end (default 50). */
  maxLength?: number;
  /** α of the penalty ((5 + length) / 6)^α (Wu et al. 2016); 0 prefers short targets (default 0.6). */
  lengthPenalty?: number;
}

interface Beam {
  readonly tokens: readonly number[];
  readonly logProbability: number;
  readonly attention: readonly FloatArray[];
  /** Its row in the decoder's batch. */
  readonly row: number;
}

/**
 * Finds likely targets for each source, best first. All sources and beams are one batch of the decoder. Each step is
 * one forward pass, then the host chooses.
 * @param given ids of each source
 * @throws RnnError `data` if a source is invalid, `option` if an option is unknown or out of range
 */
export async function beamSearch(model: Seq2Seq, given: readonly Sentence[], searchOptions: BeamSearchOptions): Promise<Hypothesis[][]> {
  const options = takeOptions("beamSearch", searchOptions, ["backend", "end", "beams", "maxLength", "lengthPenalty"], { needed: true });
  if (!isA(model, Seq2Seq)) throw new RnnError("option", "beamSearch", `model must be a Seq2Seq, got ${show(model)}`);
  const sources = takeSentences("beamSearch", "sources", given);
  checkIds("beamSearch", "end", [options.end], model.decoder.vocabulary);
  const { backend, end } = options;
  const K = checkSize("beamSearch", "beams", options.beams ?? 5, 1, 1024);
  const maxLength = checkSize("beamSearch", "maxLength", options.maxLength ?? 50, 1, 2 ** 20);
  const alpha = checkNumber("beamSearch", "lengthPenalty", options.lengthPenalty ?? 0.6, { least: 0 });
  const { input, lengths } = sourceOf(sources, false);
  checkCount(
    "beamSearch",
    `the memory of ${sources.length} x ${K} hypotheses`,
    input.shape[0] * sources.length * K * model.decoder.memorySize,
  );
  const search: Search = { model, backend, end, K, maxLength, alpha, input, lengths };
  return whileReading([Session.of(model.encoder, backend), Session.of(model.decoder, backend)], (encoding, decoding) =>
    searchOn(search, encoding, decoding),
  );
}

/** The checked arguments of a search. */
interface Search {
  readonly model: Seq2Seq;
  readonly backend: Backend;
  readonly end: number;
  readonly K: number;
  readonly maxLength: number;
  readonly alpha: number;
  readonly input: Tensor;
  readonly lengths: readonly number[];
}

/** The search on the parameters of one moment. */
async function searchOn(search: Search, encoding: Reading, decoding: Reading): Promise<Hypothesis[][]> {
  const { model, backend, end, K, maxLength, alpha, input, lengths } = search;
  const { output } = await forwardOf(model.encoder, { input, lengths }, { backend }, encoding);
  const finished: Hypothesis[][] = lengths.map(() => []);
  let alive: Beam[][] = lengths.map((_, b) => [{ tokens: [], logProbability: 0, attention: [], row: b * K }]);

  const hypothesis = (beam: Beam, source: number, ended: boolean): Hypothesis => {
    const data = backend.floats(beam.attention.length * lengths[source]);
    beam.attention.forEach((weights, t) => data.set(weights.subarray(0, lengths[source]), t * lengths[source]));
    const penalty = ((5 + beam.attention.length) / 6) ** alpha;
    const { tokens, logProbability } = beam;
    return {
      tokens: [...tokens],
      logProbability,
      score: logProbability / penalty,
      finished: ended,
      attention: { shape: [beam.attention.length, lengths[source]], data },
    };
  };

  const S = input.shape[0];
  const rows = lengths.length * K;
  const decoder = await DecoderSteps.make(search, output, decoding);
  try {
    for (let t = 0; t < maxLength && alive.some((beams) => beams.length > 0); t++) {
      // Rows of the batch without a beam are computed too, with the end as their token.
      const last = new Uint32Array(rows).fill(end);
      const parents = Uint32Array.from(last.keys());
      alive.forEach((beams, b) =>
        beams.forEach(({ tokens, row }, k) => {
          last[b * K + k] = tokens.at(-1) ?? end;
          parents[b * K + k] = row;
        }),
      );
      const { logits, weights } = await decoder.step(last, parents);
      alive = alive.map((beams, b) => {
        const reached = beams.map((beam, k) => ({
          ...beam,
          row: b * K + k,
          attention: [...beam.attention, weights.slice((b * K + k) * S, (b * K + k + 1) * S)],
        }));
        const next: Beam[] = [];
        for (const [rank, { beam, token, logProbability }] of best(reached, logits, model.decoder.vocabulary, 2 * K).entries()) {
          if (token === end && rank < K) finished[b].push(hypothesis({ ...beam, logProbability }, b, true));
          else if (token !== end && next.length < K) next.push({ ...beam, tokens: [...beam.tokens, token], logProbability });
        }
        return finished[b].length >= K ? [] : next;
      });
    }
  } finally {
    decoder.free();
  }
  alive.forEach((beams, b) => finished[b].push(...beams.slice(0, K - finished[b].length).map((beam) => hypothesis(beam, b, false))));
  return finished.map((list) => list.sort((one, other) => other.score - one.score));
}

/** The decoder, whose states and memory stay on the device from step to step. */
class DecoderSteps {
  private constructor(
    private readonly runs: CarriedRuns,
    private readonly memory: Readonly<Record<string, DeviceBuffer>>,
    private readonly search: Search,
    private readonly decoding: Reading,
  ) {}

  /** @param output of the encoder, [S, B, M] */
  static async make(search: Search, output: Tensor<FloatArray>, decoding: Reading): Promise<DecoderSteps> {
    const { model, backend, K, lengths } = search;
    const input = { shape: [1, lengths.length * K], data: new Uint32Array(lengths.length * K) };
    const further = { memory: repeated(backend, output, K), mask: maskOf(lengths, output.shape[0], K) };
    const { plan, data } = planFor(model.decoder, { input, further }, { differentiates: false });
    const memory: Record<string, DeviceBuffer> = {};
    try {
      for (const label of Object.keys(data).filter((one) => one.startsWith("further.")))
        memory[label] = backend.createBuffer(label, "f32", data[label].length, data[label]);
      const runs = await CarriedRuns.make(
        Session.of(model.decoder, backend),
        { ...plan, furtherStays: true, states: { kind: "carried", reorders: true } },
        ({ recording, output: logits, emitted }) => {
          recording.download("logits", logits.view);
          recording.download("weights", emitted.get("attention.weights")!.view);
        },
        memory,
        decoding,
      );
      return new DecoderSteps(runs, memory, search, decoding);
    } catch (error) {
      for (const buffer of Object.values(memory)) backend.free(buffer);
      throw error;
    }
  }

  /**
   * @param tokens of each row
   * @param parents for each row, the one whose state after the last step it goes on from
   * @returns [rows, V] logits and [rows, S] attention weights
   */
  async step(tokens: Uint32Array, parents: Uint32Array): Promise<{ logits: FloatArray; weights: FloatArray }> {
    const inputs: Record<string, NumericArray> = { input: tokens };
    for (const [path, { shape }] of this.runs.context.states)
      inputs[`rows.${path}`] = Uint32Array.from({ length: shape[0] * shape[1] }, (_, i) => i - (i % shape[1]) + parents[i % shape[1]]);
    const { downloads } = await this.runs.run(inputs, { reading: this.decoding });
    const { logits, weights } = await downloads;
    return { logits: logits as FloatArray, weights: weights as FloatArray };
  }

  free(): void {
    this.runs.free();
    for (const buffer of Object.values(this.memory)) this.search.backend.free(buffer);
  }
}

/** The `count` likeliest continuations of these beams by one token, best first. */
function best(beams: readonly Beam[], data: FloatArray, V: number, count: number): { beam: Beam; token: number; logProbability: number }[] {
  const all = beams.flatMap((beam) => {
    const logits = Array.from(data.subarray(beam.row * V, (beam.row + 1) * V));
    const greatest = Math.max(...logits);
    const logSum = greatest + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - greatest), 0));
    return logits.map((x, token) => ({ beam, token, logProbability: beam.logProbability + x - logSum }));
  });
  return all.sort((one, other) => other.logProbability - one.logProbability).slice(0, count);
}

/** [S, B, M] as [S, B·K, M], each row K times. */
function repeated(backend: Backend, { shape: [S, B, M], data }: Tensor<FloatArray>, K: number): Tensor {
  const result = backend.floats(data.length * K);
  for (let i = 0; i < S * B * K; i++) result.set(data.subarray(Math.floor(i / K) * M, (Math.floor(i / K) + 1) * M), i * M);
  return { shape: [S, B * K, M], data: result };
}

/** [B·K, S]: 1 within a row's length, else 0. */
function maskOf(lengths: readonly number[], S: number, K: number): Tensor {
  return {
    shape: [lengths.length * K, S],
    data: Float32Array.from({ length: lengths.length * K * S }, (_, i) => (i % S < lengths[Math.floor(i / (S * K))] ? 1 : 0)),
  };
}
