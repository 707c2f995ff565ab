import { checkBoolean, checkChoice, checkInteger, checkNumber, checkOptionNames, RnnError } from "../errors.ts";
import { gruCell, type UpdateGate } from "../kernels/cells/gru.ts";
import { gruResetBeforeCell } from "../kernels/cells/gru-reset-before.ts";
import { lstmCell, type LstmVariant } from "../kernels/cells/lstm.ts";
import { rnnRelu, rnnTanh } from "../kernels/cells/rnn.ts";
import { dropout } from "../ops/dropout.ts";
import { maskSteps, permute } from "../ops/layout.ts";
import { canStack, recurrent, type Lane, type RecurrentResult } from "../ops/recurrent.ts";
import { layoutOf, type RecurrentCell } from "../ops/recurrent-strategy.ts";
import type { Variable } from "../ops/tape.ts";
import { checkShape } from "../tensor/shape.ts";
import type { Context } from "./context.ts";
import { glorot, identity, orthogonal, uniform, withRows, zeros, type Initializer } from "./initializers.ts";
import { anySeed, Module } from "./module.ts";
import { mergeDirections, type Merge } from "./merge.ts";
import { Parameter } from "./parameter.ts";

/** Options of all recurrent layers, with PyTorch's meanings and defaults. */
export interface RecurrentLayerOptions {
  /** Layers stacked on each other (default 1). */
  numLayers?: number;
  /** Whether there are b_ih and b_hh (default true). */
  bias?: boolean;
  /** Input and output [batch, steps, ·] instead of [steps, batch, ·] (default false). */
  batchFirst?: boolean;
  /** Dropout between layers, in training (default 0). */
  dropout?: number;
  /** A second set of weights that reads from the last step to the first (default false). */
  bidirectional?: boolean;
  /** What becomes of the outputs of both directions, by Keras' names; see `Merge` (default "concat"). */
  merge?: Merge;
  /**
   * Recurrent weights from U(-1/√H, 1/√H) as PyTorch does ("uniform"), orthogonal blocks, or identities and zero
   * biases (the IRNN of Le et al. 2015, with ReLU).
   */
  recurrentInit?: "uniform" | "orthogonal" | "identity";
  /** Input weights from U(-1/√H, 1/√H), or by Glorot & Bengio (2010): variance 2 / (inputs + H) in each gate's block. */
  inputInit?: "uniform" | "glorotUniform" | "glorotNormal";
  /** Of the first values, an integer of at least 0; any if left out. */
  seed?: number;
}

export const commonOptions = ["numLayers", "bias", "batchFirst", "dropout", "bidirectional", "merge", "recurrentInit", "inputInit", "seed"];

/**
 * The part that RNN, GRU and LSTM share. Parameters per layer k, with `_reverse` for the second direction:
 * `weight_ih_l{k}` [G·H, I or D·H], `weight_hh_l{k}` [G·H, H], `bias_ih_l{k}` and `bias_hh_l{k}` [G·H], all from
 * U(-1/√H, 1/√H). D·H is H where `merge` leaves as many outputs. States are [numLayers·D, batch, H], index layer·D + direction.
 */
export abstract class RecurrentLayer extends Module {
  readonly numLayers: number;
  readonly bias: boolean;
  private readonly timeSecond: boolean;
  readonly dropout: number;
  readonly directions: 1 | 2;
  readonly merge: Merge;

  protected constructor(
    private readonly name: string, readonly inputSize: number, readonly hiddenSize: number,
    private readonly cell: RecurrentCell, options: RecurrentLayerOptions, gateBias?: { gate: string; value: number },
  ) {
    super();
    checkInteger(name, "inputSize", inputSize, 1);
    checkInteger(name, "hiddenSize", hiddenSize, 1);
    this.numLayers = checkInteger(name, "numLayers", options.numLayers ?? 1, 1);
    this.bias = checkBoolean(name, "bias", options.bias ?? true);
    this.timeSecond = checkBoolean(name, "batchFirst", options.batchFirst ?? false);
    this.dropout = checkNumber(name, "dropout", options.dropout ?? 0, { least: 0, most: 1 });
    this.directions = checkBoolean(name, "bidirectional", options.bidirectional ?? false) ? 2 : 1;
    this.merge = checkChoice<Merge>(name, "merge", options.merge ?? "concat", ["concat", "sum", "mul", "average", "none"]);
    if (options.merge !== undefined && this.directions === 1) throw new RnnError("option", name, "merge says what becomes of two directions and needs bidirectional: true");
    if (this.dropout > 0 && this.numLayers === 1) {
      throw new RnnError("option", name, "dropout acts between layers and needs numLayers of at least 2; for one layer use a Dropout module behind it");
    }
    const recurrentInit = checkChoice(name, "recurrentInit", options.recurrentInit ?? "uniform", ["uniform", "orthogonal", "identity"]);
    const inputInit = checkChoice(name, "inputInit", options.inputInit ?? "uniform", ["uniform", "glorotUniform", "glorotNormal"]);
    this.addParameters(recurrentInit, inputInit, gateBias);
    this.initialize(options.seed ?? anySeed());
  }

  override get batchFirst(): boolean {
    return this.timeSecond;
  }

  private addParameters(recurrentInit: "uniform" | "orthogonal" | "identity", inputInit: "uniform" | "glorotUniform" | "glorotNormal", gateBias: { gate: string; value: number } | undefined): void {
    const H = this.hiddenSize;
    const { gateNames, parameterGates = gateNames } = this.cell;
    const G = parameterGates.length;
    const lanes = gateNames.map((name) => parameterGates.indexOf(name));
    const seeing = parameterGates.filter((name) => name !== "g");
    const base = uniform(1 / Math.sqrt(H));
    const recurrent = { uniform: base, orthogonal: orthogonal(G), identity }[recurrentInit];
    const ofInputs = { uniform: base, glorotUniform: glorot("uniform", G), glorotNormal: glorot("normal", G) }[inputInit];
    const ofBiases = recurrentInit === "identity" ? zeros : base;
    // A gate's bias is the sum of two; the first takes the whole value.
    const biasRows = (value: number): Initializer => {
      if (!gateBias) return ofBiases;
      const first = parameterGates.indexOf(gateBias.gate) * H;
      return withRows(ofBiases, first, first + H, value);
    };
    for (let layer = 0; layer < this.numLayers; layer++) {
      const inputs = layer === 0 ? this.inputSize : H * (this.joins ? this.directions : 1);
      for (const suffix of this.suffixes(layer)) {
        this.addParameter(`weight_ih_${suffix}`, new Parameter([G * H, inputs], ofInputs, G, lanes));
        this.addParameter(`weight_hh_${suffix}`, new Parameter([G * H, H], recurrent, G, lanes));
        if (layoutOf(this.cell).hasPeepholes) this.addParameter(`weight_ch_${suffix}`, new Parameter([seeing.length * H], base, seeing.length, gateNames.map((name) => seeing.indexOf(name))));
        if (!this.bias) continue;
        this.addParameter(`bias_ih_${suffix}`, new Parameter([G * H], biasRows(gateBias?.value ?? 0), G, lanes));
        this.addParameter(`bias_hh_${suffix}`, new Parameter([G * H], biasRows(0), G, lanes));
      }
    }
  }

  /** Whether outputs of both directions lie side by side. */
  private get joins(): boolean {
    return this.merge === "concat" || this.merge === "none";
  }

  private suffixes(layer: number): string[] {
    return this.directions === 2 ? [`l${layer}`, `l${layer}_reverse`] : [`l${layer}`];
  }

  private laneOf(context: Context, suffix: string, direction: number, initialH: Variable | undefined, initialC: Variable | undefined): Lane {
    return {
      label: context.label(suffix), reverse: direction === 1, initialH, initialC,
      weights: {
        inputWeight: context.parameter(`weight_ih_${suffix}`),
        recurrentWeight: context.parameter(`weight_hh_${suffix}`),
        inputBias: this.bias ? context.parameter(`bias_ih_${suffix}`) : undefined,
        recurrentBias: this.bias ? context.parameter(`bias_hh_${suffix}`) : undefined,
        peepholes: layoutOf(this.cell).hasPeepholes ? context.parameter(`weight_ch_${suffix}`) : undefined,
      },
    };
  }

  forward(context: Context, input: Variable): Variable {
    checkShape(this.name, "input", input.shape, [...(this.batchFirst ? ["batch", "steps"] : ["steps", "batch"]), this.inputSize]);
    const { tape } = context;
    let x = this.batchFirst ? permute(tape, context.label("input.time"), input, [1, 0, 2]) : input;
    const [T, B] = x.shape;
    const lengths = context.lengths ?? tape.recording.buffer(context.label("lengths"), [B], "constant", "u32", new Uint32Array(B).fill(T));
    const stateShape = [this.numLayers * this.directions, B, this.hiddenSize];
    const h0 = context.initialState("h", stateShape);
    const c0 = this.cell.hasMemory ? context.initialState("c", stateShape) : undefined;
    const hN: Variable[] = [];
    const cN: Variable[] = [];
    const lanesOf = (layer: number): Lane[] => this.suffixes(layer).map((suffix, direction) => this.laneOf(context, suffix, direction, h0?.[layer * this.directions + direction], c0?.[layer * this.directions + direction]));
    const keep = ({ y, finalH, finalC }: RecurrentResult, label: string): Variable => {
      hN.push(finalH);
      if (finalC) cN.push(finalC);
      return context.lengths ? maskSteps(tape, `${label}.masked`, y, lengths) : y;
    };
    const dropsOut = this.dropout > 0 && context.training;
    const stacked = this.directions === 1 && !dropsOut && canStack(tape, context.label("l0"), this.cell, { T, B, H: this.hiddenSize }, this.numLayers);
    if (stacked) {
      const layers = Array.from({ length: this.numLayers }, (_, layer) => lanesOf(layer)[0]);
      const results = recurrent(tape, context.label("layers"), x, layers, { cell: this.cell, lengths, stacked });
      hN.push(...results.slice(0, -1).map(({ finalH }) => finalH));
      cN.push(...results.slice(0, -1).flatMap(({ finalC }) => finalC ?? []));
      x = keep(results[results.length - 1], layers[layers.length - 1].label);
    }
    for (let layer = 0; layer < this.numLayers && !stacked; layer++) {
      if (layer > 0 && dropsOut) {
        x = dropout(tape, context.label(`l${layer}.dropout`), x, { p: this.dropout, random: context.random, stream: context.randomStream() });
      }
      const lanes = lanesOf(layer);
      const outputs = (tape.options.recurrent ?? recurrent)(tape, context.label(`l${layer}`), x, lanes, { cell: this.cell, lengths }).map((result, n) => keep(result, lanes[n].label));
      x = outputs.length === 1 ? outputs[0] : mergeDirections(context, outputs, this.merge);
    }
    if (this.merge === "none") x = x.reshaped([T, B, 2, this.hiddenSize]);
    context.finalState("h", stateShape, hN);
    if (cN.length > 0) context.finalState("c", stateShape, cN);
    return this.batchFirst ? permute(tape, context.label("output.batch"), x, x.shape.length === 4 ? [1, 0, 2, 3] : [1, 0, 2]) : x;
  }
}

/**
 * Elman network (Elman 1990), as PyTorch's `nn.RNN`: h_t = g(W·x_t + b_ih + U·h_{t-1} + b_hh), g = tanh or ReLU.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], state `h` [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class RNN extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentLayerOptions & { nonlinearity?: "tanh" | "relu" } = {}) {
    checkOptionNames("RNN", options, [...commonOptions, "nonlinearity"]);
    const nonlinearity = checkChoice("RNN", "nonlinearity", options.nonlinearity ?? "tanh", ["tanh", "relu"]);
    super("RNN", inputSize, hiddenSize, nonlinearity === "tanh" ? rnnTanh : rnnRelu, options);
  }
}

/**
 * Gated recurrent unit (Cho et al. 2014), as PyTorch's `nn.GRU`; gates r z n:
 * r, z = σ(W·x_t + b_ih + U·h_{t-1} + b_hh);  h_t = (1 - z)⊙n + z⊙h_{t-1};
 * reset "after" (PyTorch, cuDNN, Keras' default):  n = tanh(W_n·x_t + b_in + r⊙(U_n·h_{t-1} + b_hn));
 * reset "before" (the paper, Keras reset_after=False, ONNX' default):  n = tanh(W_n·x_t + b_in + U_n·(r⊙h_{t-1}) + b_hn);
 * reset "none" (the simplified unit of many notes; gates z n):  n = tanh(W_n·x_t + b_in + U_n·h_{t-1} + b_hn).
 * updateGate "keeps" is that h_t; with "writes" the gate at 1 takes the new value, as Γ_u does:  h_t = z⊙n + (1 - z)⊙h_{t-1}.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], state `h` [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class GRU extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentLayerOptions & { reset?: "after" | "before" | "none"; updateGate?: UpdateGate } = {}) {
    checkOptionNames("GRU", options, [...commonOptions, "reset", "updateGate"]);
    const reset = checkChoice("GRU", "reset", options.reset ?? "after", ["after", "before", "none"]);
    const updateGate = checkChoice("GRU", "updateGate", options.updateGate ?? "keeps", ["keeps", "writes"]);
    super("GRU", inputSize, hiddenSize, reset === "before" ? gruResetBeforeCell(updateGate) : gruCell({ reset: reset === "after", updateGate }), options);
  }
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000), as PyTorch's `nn.LSTM`; gates i f g o:
 * i, f, o = σ(W·x_t + b_ih + U·h_{t-1} + b_hh);  g = tanh(…);  c_t = f⊙c_{t-1} + i⊙g;  h_t = o⊙tanh(c_t).
 * `forgetBias` sets the forget gates' bias (Jozefowicz et al. 2015 advise 1).
 * forgetGate "coupled":  f = 1 - i;  "none":  f = 1, the constant error carousel of 1997. Gates i g o then.
 * outputActivation "identity":  h_t = o⊙c_t.
 * peepholes (Gers & Schmidhuber 2000): p_i⊙c_{t-1} and p_f⊙c_{t-1} are added inside the σ of i and f, p_o⊙c_t inside that
 * of o; `weight_ch_l{k}` [3·H] in the order i f o ([2·H], i o, without a forget gate of its own).
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], states `h` and `c`, each
 * [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class LSTM extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentLayerOptions & { forgetBias?: number } & Partial<LstmVariant> = {}) {
    checkOptionNames("LSTM", options, [...commonOptions, "forgetBias", "forgetGate", "outputActivation", "peepholes"]);
    const { forgetBias } = options;
    const forgetGate = checkChoice("LSTM", "forgetGate", options.forgetGate ?? "gate", ["gate", "coupled", "none"]);
    const outputActivation = checkChoice("LSTM", "outputActivation", options.outputActivation ?? "tanh", ["tanh", "identity"]);
    const peepholes = checkBoolean("LSTM", "peepholes", options.peepholes ?? false);
    if (forgetBias !== undefined) checkNumber("LSTM", "forgetBias", forgetBias);
    if (forgetBias !== undefined && options.bias === false) throw new RnnError("option", "LSTM", "forgetBias needs bias: true");
    if (forgetBias !== undefined && forgetGate !== "gate") throw new RnnError("option", "LSTM", `forgetBias needs forgetGate: "gate", got "${forgetGate}", which has no bias of its own`);
    super("LSTM", inputSize, hiddenSize, lstmCell({ forgetGate, outputActivation, peepholes }), options, forgetBias === undefined ? undefined : { gate: "f", value: forgetBias });
  }
}
