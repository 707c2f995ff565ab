import { checkChoice, checkInteger, checkNumber, RnnError, show } from "../errors.ts";
import { isA, takeOptions } from "../options.ts";
import { checkCall, type Context } from "../nn/context.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear } from "../nn/linear.ts";
import { anySeed, Module } from "../nn/module.ts";
import * as ops from "../nn/ops.ts";
import { GRU } from "../recurrent/layer/gru.ts";
import { LSTM } from "../recurrent/layer/lstm.ts";
import { RNN } from "../recurrent/layer/rnn.ts";
import type { Variable } from "../autodiff/tape.ts";
import { checkShape, type Shape } from "../tensor/shape.ts";
import { Attention, type AttentionMemory, type Score } from "./attention.ts";

/** States by name, one variable a layer. */
export type States = Record<string, Variable[]>;

/** The parts of a `Decoder`. */
export interface DecoderOptions {
  /** Number of target ids, with the end of a sentence. */
  vocabulary: number;
  /** Features of the encoder's output. */
  memorySize: number;
  /** The recurrent layer, in one direction; its inputSize is the size of the embedding. */
  rnn: RNN | GRU | LSTM;
  /** The score of memory and layer output (default "general"). */
  score?: Score;
  /** Dropout of the embeddings and of the inputs of the logits, in training (default 0). */
  dropout?: number;
  seed?: number;
}

/**
 * Decoder with global attention (Luong et al. 2015): s_t = rnn(E·w_{t-1}, s_{t-1}); c_t = attention(s_t, memory);
 * h_t = tanh(W_c·[s_t; c_t]); logits_t = W_o·h_t. Attention comes after the recurrence, so with a given target all time
 * steps are computed at once. Initial states are tanh(W_i·m̄), where m̄ is the mean of the memory (Xu et al. 2015); any
 * encoder has it.
 *
 * Input: ids [T, B], each the token before the one to predict; further inputs `memory` [S, B, M] and, where its rows
 * differ in length, `mask` [B, S]. Output: logits [T, B, vocabulary]; further output `attention.weights` [B, T, S].
 */
export class Decoder extends Module {
  readonly vocabulary: number;
  readonly memorySize: number;
  private readonly dropout: number;
  private readonly embedding: Embedding;
  private readonly rnn: RNN | GRU | LSTM;
  private readonly attention: Attention;
  private readonly initial: Linear;
  private readonly combine: Linear;
  private readonly output: Linear;

  constructor(given: DecoderOptions) {
    super();
    const options = takeOptions("Decoder", given, ["vocabulary", "memorySize", "rnn", "score", "dropout", "seed"], { needed: true });
    const { rnn } = options;
    if (!(isA(rnn, RNN) || isA(rnn, GRU) || isA(rnn, LSTM)))
      throw new RnnError("option", "Decoder", `rnn must be an RNN, GRU or LSTM, got ${show(rnn)}`);
    if (rnn.directions === 2 || rnn.batchFirst)
      throw new RnnError("option", "Decoder", "rnn must read in one direction and have time first: the tokens to come are not known");
    this.vocabulary = checkInteger("Decoder", "vocabulary", options.vocabulary, 1);
    this.dropout = checkNumber("Decoder", "dropout", options.dropout ?? 0, { least: 0, most: 1 });
    const memorySize = (this.memorySize = checkInteger("Decoder", "memorySize", options.memorySize, 1));
    const H = rnn.outputSize;
    const score = checkChoice<Score>("Decoder", "score", options.score ?? "general", ["additive", "dot", "general"]);
    this.rnn = rnn;
    this.addChild("embedding", (this.embedding = new Embedding(this.vocabulary, rnn.inputSize)));
    this.addChild("rnn", rnn);
    this.addChild("attention", (this.attention = new Attention(H, memorySize, { score })));
    this.addChild(
      "initial",
      (this.initial = new Linear(memorySize, rnn.numLayers * Object.values(this.stateSizes).reduce((sum, size) => sum + size))),
    );
    this.addChild("combine", (this.combine = new Linear(H + memorySize, H)));
    this.addChild("output", (this.output = new Linear(H, this.vocabulary)));
    this.initialize(options.seed ?? anySeed());
  }

  /** Size of each state of a layer. */
  private get stateSizes(): Record<string, number> {
    const { outputSize, hiddenSize } = this.rnn;
    return this.rnn instanceof LSTM ? { h: outputSize, c: hiddenSize } : { h: outputSize };
  }

  override describe(): readonly unknown[] {
    const { vocabulary, memorySize, rnn, dropout } = this;
    return [{ vocabulary, memorySize, rnn, score: this.attention.score, dropout }];
  }

  override get idCount(): number {
    return this.vocabulary;
  }

  override get furtherInputs(): Readonly<Record<string, undefined>> {
    return { memory: undefined, mask: undefined };
  }

  forward(context: Context, tokens: Variable): Variable {
    checkCall("Decoder", context, tokens);
    const memory = context.further("memory");
    if (!memory)
      throw new RnnError("option", "Decoder", 'needs the further input "memory" [steps, batch, features], the encoder\'s output');
    const prepared = this.prepare(context, memory, context.further("mask"));
    let first: States | undefined;
    const rnn = context.child("rnn");
    return this.decode(
      context,
      tokens,
      prepared,
      (name, shape) => rnn.initialState(name, shape) ?? (first ??= this.initialStates(context, prepared))[name],
      (name, shape, values) => rnn.finalState(name, shape, values),
    );
  }

  /** Computes what all time steps share, from `memory` [S, B, M] and `mask` [B, S]. */
  prepare(context: Context, memory: Variable, mask?: Variable): AttentionMemory {
    return this.attention.prepare(context.child("attention"), memory, mask);
  }

  /** The states before the first token. */
  initialStates(context: Context, { values, mask }: AttentionMemory): States {
    const [B, S, M] = values.shape;
    const { numLayers } = this.rnn;
    // The mean is attention with equal scores.
    const scores = ops.constant(context, { shape: [B, 1, S], data: new Float32Array(B * S) });
    const mean = ops.reshape(context, ops.matmul(context, ops.softmax(context, scores, { mask }), values), [B, M]);
    const all = ops.tanh(context, this.initial.forward(context.child("initial"), mean));
    let first = 0;
    return Object.fromEntries(
      Object.entries(this.stateSizes).map(([name, size]) => [
        name,
        Array.from({ length: numLayers }, () => {
          const state = ops.slice(context, all, 1, first, first + size);
          first += size;
          return state;
        }),
      ]),
    );
  }

  /** Logits [T, B, vocabulary] after tokens [T, B], for any number of time steps. */
  decode(
    context: Context,
    tokens: Variable,
    memory: AttentionMemory,
    initialState: (name: string, shape: Shape) => Variable[] | undefined,
    finalState: (name: string, shape: Shape, values: Variable[]) => void,
  ): Variable {
    checkShape("Decoder", "tokens", tokens.shape, ["steps", memory.values.shape[0]]);
    const x = ops.dropout(context, this.embedding.forward(context.child("embedding"), tokens), this.dropout);
    const s = this.rnn.forward(context.child("rnn").within({ lengths: false, initialState, finalState }), x);
    const c = this.attention.attend(context.child("attention"), s, memory);
    const h = ops.tanh(context, this.combine.forward(context.child("combine"), ops.concat(context, [s, c], -1)));
    return this.output.forward(context.child("output"), ops.dropout(context, h, this.dropout));
  }
}
