import { checkFunction, RnnError, show } from "../errors.ts";
import { isA, takeOptions } from "../options.ts";
import { checkCall, type Context } from "../nn/context.ts";
import { Module } from "../nn/module.ts";
import * as ops from "../nn/ops.ts";
import { nextTokens } from "../autodiff/scheduled-sampling.ts";
import type { Variable } from "../autodiff/tape.ts";
import { subview } from "../recording/recording.ts";
import { checkShape, type Shape } from "../tensor/shape.ts";
import type { AttentionMemory } from "./attention.ts";
import { Decoder, type States } from "./decoder.ts";

/** The parts of a `Seq2Seq`. */
export interface Seq2SeqOptions {
  /** Any module that turns a source into [S, B, memorySize]. Its recurrent layers get the lengths. */
  encoder: Module;
  decoder: Decoder;
  /**
   * Scheduled sampling (Bengio et al. 2015): the probability, by training step, that the decoder continues with a token
   * drawn from its own prediction instead of the target's token (default: never, which is teacher forcing).
   */
  scheduledSampling?: (step: number) => number;
  seed?: number;
}

/**
 * Encoder and decoder with attention over the encoder's outputs (Sutskever et al. 2014; Bahdanau et al. 2015).
 *
 * Input: the source, ids [S, B] or numbers, with the rows' `lengths`; further input `target` [T, B], at each step the
 * token before the one to predict (`PairData` makes such batches). Output: logits [T, B, vocabulary]. States always
 * start from the encoder. `beamSearch` finds targets for a source.
 * @throws RnnError `option` if a part is missing or of the wrong kind, `shape` when run if the inputs do not fit
 */
export class Seq2Seq extends Module {
  readonly encoder: Module;
  readonly decoder: Decoder;
  private readonly scheduledSampling: ((step: number) => number) | undefined;

  constructor(options: Seq2SeqOptions) {
    super();
    const { encoder, decoder, scheduledSampling, seed } = takeOptions(
      "Seq2Seq",
      options,
      ["encoder", "decoder", "scheduledSampling", "seed"],
      { needed: true },
    );
    if (!isA(decoder, Decoder)) throw new RnnError("option", "Seq2Seq", `decoder must be a Decoder, got ${show(decoder)}`);
    if (scheduledSampling !== undefined) checkFunction("Seq2Seq", "scheduledSampling", scheduledSampling);
    if (isA(encoder, Module) && encoder.batchFirst)
      throw new RnnError("option", "Seq2Seq", "encoder must have time first, got layers with batchFirst");
    this.addChild("encoder", (this.encoder = encoder));
    this.addChild("decoder", (this.decoder = decoder));
    this.scheduledSampling = scheduledSampling;
    if (seed !== undefined) this.initialize(seed);
  }

  /** `scheduledSampling` is a function, which acts in training only; a file does not have it. */
  override describe(): readonly unknown[] {
    return [{ encoder: this.encoder, decoder: this.decoder }];
  }

  override get idCount(): number | undefined {
    return this.encoder.idCount;
  }

  override get furtherInputs(): Readonly<Record<string, number>> {
    return { target: this.decoder.vocabulary };
  }

  forward(context: Context, source: Variable): Variable {
    checkCall("Seq2Seq", context, source);
    const target = context.further("target");
    if (!target) throw new RnnError("option", "Seq2Seq", 'needs the further input "target" [steps, batch]; beamSearch does without');
    checkShape("Seq2Seq", "target", target.shape, ["steps", source.shape[1]]);
    const anew = { initialState: () => undefined, finalState: () => undefined };
    const output = this.encoder.forward(context.child("encoder").within(anew), source);
    const within = context.child("decoder");
    const memory = this.decoder.prepare(within, output, ops.lengthMask(context, output.shape[0]));
    const first = this.decoder.initialStates(within, memory);
    if (context.training && this.scheduledSampling) return this.stepByStep(context, target, memory, first, this.scheduledSampling);
    return this.decoder.decode(within, target, memory, (name: string) => first[name], anew.finalState);
  }

  /** Decodes one time step after the other, because each may continue with a token drawn in the one before. */
  private stepByStep(
    context: Context,
    target: Variable,
    memory: AttentionMemory,
    first: States,
    schedule: (step: number) => number,
  ): Variable {
    const { tape } = context;
    const [T, B] = target.shape;
    const rate = context.scheduled("scheduledSampling", schedule);
    let states = first;
    let tokens = tape.leaf("target.0", subview(target.view, 0, [1, B]));
    const steps: Variable[] = [];
    for (let t = 0; t < T; t++) {
      const next: States = {};
      const before = states;
      const logits = this.decoder.decode(
        context.child("decoder"),
        tokens,
        memory,
        (name) => before[name],
        (name: string, _: Shape, values) => void (next[name] = values),
      );
      steps.push(logits);
      states = next;
      if (t + 1 < T)
        tokens = nextTokens(tape, context.label("next"), {
          logits,
          target,
          step: t + 1,
          rate,
          random: context.random,
          stream: context.randomStream(),
        });
    }
    return ops.concat(context, steps, 0);
  }
}
