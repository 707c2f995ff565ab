import type { Backend } from "../backend/backend.ts";
import { checkCount, checkNumber, checkSize, RnnError, show } from "../errors.ts";
import { isA, takeOptions } from "../options.ts";
import type { Reading } from "../session/reading.ts";
import type { ModelOutputs } from "../session/results.ts";
import { forwardOf } from "../session/run.ts";
import { Session } from "../session/session.ts";
import { checkIds, type FloatArray, type Tensor } from "../tensor/tensor.ts";
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
  return Session.whileReading([Session.of(model.encoder, backend), Session.of(model.decoder, backend)], (encoding, decoding) =>
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
async function searchOn(
  { model, backend, end, K, maxLength, alpha, input, lengths }: Search,
  encoding: Reading,
  decoding: Reading,
): Promise<Hypothesis[][]> {
  const { output } = await forwardOf(model.encoder, { input, lengths }, { backend }, encoding);
  const further = { memory: repeated(backend, output, K), mask: maskOf(lengths, input.shape[0], K) };
  const finished: Hypothesis[][] = lengths.map(() => []);
  let alive: Beam[][] = lengths.map((_, b) => [{ tokens: [], logProbability: 0, attention: [], row: b * K }]);
  let state: ModelOutputs["state"] | undefined;

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
  for (let t = 0; t < maxLength && alive.some((beams) => beams.length > 0); t++) {
    // Rows of the batch without a beam are computed too, with the end as their token.
    const last = new Uint32Array(lengths.length * K).fill(end);
    const parents = Uint32Array.from(last.keys());
    alive.forEach((beams, b) =>
      beams.forEach(({ tokens, row }, k) => {
        last[b * K + k] = tokens.at(-1) ?? end;
        parents[b * K + k] = row;
      }),
    );
    const step = await forwardOf(
      model.decoder,
      { input: { shape: [1, last.length], data: last }, state: state && reordered(state, parents), further },
      { backend },
      decoding,
    );
    state = step.state;
    const weights = step.further["attention.weights"].data;
    alive = alive.map((beams, b) => {
      const rows = beams.map((beam, k) => ({
        ...beam,
        row: b * K + k,
        attention: [...beam.attention, weights.slice((b * K + k) * S, (b * K + k + 1) * S)],
      }));
      const next: Beam[] = [];
      for (const [rank, { beam, token, logProbability }] of best(rows, step.output, 2 * K).entries()) {
        if (token === end && rank < K) finished[b].push(hypothesis({ ...beam, logProbability }, b, true));
        else if (token !== end && next.length < K) next.push({ ...beam, tokens: [...beam.tokens, token], logProbability });
      }
      return finished[b].length >= K ? [] : next;
    });
  }
  alive.forEach((beams, b) => finished[b].push(...beams.slice(0, K - finished[b].length).map((beam) => hypothesis(beam, b, false))));
  return finished.map((list) => list.sort((one, other) => other.score - one.score));
}

/** The `count` likeliest continuations of these beams by one token, best first. */
function best(
  beams: readonly Beam[],
  { shape, data }: Tensor<FloatArray>,
  count: number,
): { beam: Beam; token: number; logProbability: number }[] {
  const V = shape[2];
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

/** States whose row i is row `parents[i]` of these. */
function reordered(states: ModelOutputs["state"], parents: Uint32Array): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(states).map(([path, { shape, data }]) => {
      const [L, R, H] = shape;
      const result = data.slice();
      for (let i = 0; i < L * R; i++) {
        const from = Math.floor(i / R) * R + parents[i % R];
        result.set(data.subarray(from * H, (from + 1) * H), i * H);
      }
      return [path, { shape, data: result }];
    }),
  );
}
