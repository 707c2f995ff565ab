import { checkChoice, RnnError, show } from "../../errors.ts";
import { isA, takeOptions } from "../../options.ts";
import { slice } from "../../autodiff/parts.ts";
import type { Variable } from "../../autodiff/tape.ts";
import { checkCall, type Context } from "../../nn/context.ts";
import { mergeDirections } from "../../nn/merge.ts";
import { Module } from "../../nn/module.ts";
import type { Parameter } from "../../nn/parameter.ts";
import type { Part } from "../../part.ts";
import { GRU } from "./gru.ts";
import { LSTM } from "./lstm.ts";
import { RNN } from "./rnn.ts";
import { MinGRU, MinLSTM } from "./minimal.ts";

/**
 * Many to one: outputs only what a recurrent layer has read in the end, [batch, ·] without steps ([·] of a single sequence).
 * For each row, this is the output at its last step by its length. The second direction ends where the row begins, so it
 * gives the first step. Both are merged as the layer merges outputs. A row of length 0 gives the initial state.
 *
 * With two directions, this is not the output at the last step (PyTorch's `output[-1]`), where the second direction has read
 * one step only. Weights that were trained on that output need `of: "lastStep"`; all rows must then be whole. The parameters
 * keep the layer's names.
 * @example new Sequential([new Embedding(27, 16), new LastStep(new GRU(16, 32, { bidirectional: true })), new Linear(64, 2)])
 * @throws RnnError `option` if `rnn` is no recurrent layer, or an option is unknown; when run, with lengths and `of: "lastStep"`
 */
export class LastStep extends Module {
  private readonly of: "ends" | "lastStep";

  constructor(
    private readonly rnn: RNN | GRU | LSTM | MinGRU | MinLSTM,
    given: { of?: "ends" | "lastStep" } = {},
  ) {
    super();
    if (![RNN, GRU, LSTM, MinGRU, MinLSTM].some((kind) => isA(rnn, kind)))
      throw new RnnError("option", "LastStep", `takes a recurrent layer such as an LSTM, got ${show(rnn)}`);
    this.of = checkChoice("LastStep", "of", takeOptions("LastStep", given, ["of"]).of ?? "ends", ["ends", "lastStep"]);
  }

  override get inputFeatures(): number {
    return this.rnn.inputSize;
  }

  override describe(): readonly unknown[] {
    return [this.rnn, { of: this.of }];
  }

  override get saysBatchFirst(): boolean {
    return this.rnn.batchFirst;
  }

  override get readsBackwards(): boolean {
    return this.rnn.readsBackwards;
  }

  override get countsSteps(): boolean {
    return this.rnn.countsSteps;
  }

  override get furtherCode(): readonly Part<unknown>[] {
    return this.rnn.furtherCode;
  }

  override namedParameters(prefix = ""): Map<string, Parameter> {
    return this.rnn.namedParameters(prefix);
  }

  forward(context: Context, input: Variable): Variable {
    checkCall("LastStep", context, input);
    return this.of === "ends" ? this.ends(context, input) : this.lastStep(context, input);
  }

  /** The output at the last step, of both directions. */
  private lastStep(context: Context, input: Variable): Variable {
    if (context.lengths && !context.hasGaps)
      throw new RnnError(
        "option",
        "LastStep",
        'of: "lastStep" needs whole rows, got lengths; without it, each row gives the output at its own end',
      );
    const output = this.rnn.forward(context, input);
    const time = this.rnn.batchFirst && input.shape.length > 2 ? 1 : 0;
    const steps = output.shape[time];
    const last = slice(context.tape, context.label("last"), output, time, steps - 1, steps);
    return last.reshaped(output.shape.filter((_, axis) => axis !== time));
  }

  private ends(context: Context, input: Variable): Variable {
    const ends: Variable[] = [];
    const { directions, merge, outputSize } = this.rnn;
    this.rnn.forward(
      context.within({
        finalState: (name, shape, values) => {
          if (name === "h") ends.push(...values.slice(-directions));
          context.finalState(name, shape, values);
        },
      }),
      input,
    );
    // Final states may lie where a kernel cannot bind them, so they are copied.
    const rows = ends[0].shape.slice(0, -1);
    const outputs = ends.map((end) => slice(context.tape, context.label("last"), end, 0, 0, end.shape[0]));
    if (directions === 1) return outputs[0];
    const both = mergeDirections(context, outputs, merge);
    return merge === "none" ? both.reshaped([...rows, 2, outputSize]) : both;
  }
}
