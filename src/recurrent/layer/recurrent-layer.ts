/** The base of all recurrent layers. */
import { checkCount, checkInteger, RnnError } from "../../errors.ts";
import { phasesOf, type Cell } from "../cells/cell.ts";
import type { GateFunctions } from "../cells/gate-functions.ts";
import { maskSteps } from "../../autodiff/mask-steps.ts";
import { canStack } from "../op-strategy.ts";
import { recurrent, type Lane, type RecurrentOptions, type RecurrentResult } from "../sequence.ts";
import type { Variable } from "../../autodiff/tape.ts";
import { Part } from "../../part.ts";
import { checkShape, sizeOf } from "../../tensor/shape.ts";
import { perUnit, regularized, stacking, twoPhase } from "../parts.ts";
import { checkCall, type Context } from "../../nn/context.ts";
import { anySeed, Module } from "../../nn/module.ts";
import type { Merge } from "../../nn/merge.ts";
import { Parameter } from "../../nn/parameter.ts";
import { checkRecurrentOptions, type RecurrentLayerOptions } from "./layer-options.ts";
import { plannedParameters, type GateBias } from "./parameters.ts";
import { Regularizer } from "./regularizer.ts";

const regularization = new Part("normalization, zoneout or recurrentDropout", () => import("./regularization.ts"));
const projection = new Part("projSize", () => import("./projection.ts"));
const dropping = new Part("dropout", () => import("../../nn/drop-elements.ts"));
const turning = new Part("batchFirst", () => import("../../autodiff/layout.ts"));
const merging = new Part("bidirectional", () => import("../../nn/merge.ts"));

/**
 * The part that all recurrent layers share. Parameters per layer k, with `_reverse` for the second direction:
 * `weight_ih_l{k}` [G·H, I or D·H], `weight_hh_l{k}` [G·H, H], `bias_ih_l{k}` and `bias_hh_l{k}` [G·H], all from
 * U(-1/√H, 1/√H). D·H is H if `merge` leaves H outputs. States are [numLayers·D, batch, H], index layer·D + direction.
 * A single sequence may come without a batch: input [steps, I], output [steps, D·H], states [numLayers·D, H].
 * Normalised layers also have gains `gain_ih_l{k}` and `gain_hh_l{k}` [G·H], LSTMs `gain_c_l{k}` and `bias_c_l{k}` [H] (no
 * bias of any kind with `bias: false`); G counts the gates that have parameters. With batch normalisation there is
 * `running_l{k}`, which is not learnt (see `RegularizationOptions`). A projected layer has `weight_hr_l{k}` [P, H], and its h
 * has P numbers instead of H.
 */
export abstract class RecurrentLayer extends Module {
  readonly numLayers: number;
  readonly bias: boolean | "input";
  private readonly timeSecond: boolean;
  readonly dropout: number;
  readonly directions: 1 | 2;
  /** Whether the only direction reads from the last step to the first. */
  readonly reverse: boolean;
  /** Numbers of h: hiddenSize, or projSize of a projected layer. */
  readonly outputSize: number;
  /** Groups of units that see the states of their own group only; 1 but for an SLSTM. */
  readonly heads: number;
  readonly merge: Merge;
  /** Whether dropout between layers is the same at every step. */
  readonly variational: boolean;
  private readonly regularizer: Regularizer;
  /** The layer's cell; if each direction has its own, the first one's. */
  private readonly cell: Cell;
  private readonly given: object;

  /** @param cells one, or one for each direction; these differ in their functions only */
  protected constructor(
    private readonly name: string,
    readonly inputSize: number,
    readonly hiddenSize: number,
    private readonly cells: readonly Cell[],
    options: RecurrentLayerOptions,
    {
      gateBias,
      projSize = 0,
      heads = 1,
      given = options,
    }: { gateBias?: GateBias; projSize?: number; heads?: number; /** What the layer's own constructor takes. */ given?: object } = {},
  ) {
    super();
    const [cell] = cells;
    this.cell = cell;
    checkInteger(name, "inputSize", inputSize, 1);
    checkInteger(name, "hiddenSize", hiddenSize, 1);
    const taken = checkRecurrentOptions(name, options);
    this.numLayers = taken.numLayers;
    this.bias = taken.bias;
    this.timeSecond = taken.batchFirst;
    this.dropout = taken.dropout;
    this.directions = taken.bidirectional ? 2 : 1;
    this.reverse = taken.reverse;
    this.merge = taken.merge;
    this.variational = taken.variational;
    this.regularizer = new Regularizer(name, cell, options, projSize > 0);
    this.outputSize = projSize || hiddenSize;
    this.heads = checkInteger(name, "heads", heads, 1);
    if (hiddenSize % heads !== 0) throw new RnnError("option", name, `hiddenSize must be a multiple of heads, ${heads}, got ${hiddenSize}`);
    if (heads > 1 && taken.recurrentInit !== "uniform")
      throw new RnnError("option", name, `recurrentInit must be "uniform" with more than one head, got "${taken.recurrentInit}"`);
    const sizes = { I: inputSize, H: hiddenSize, P: this.outputSize, heads, deeper: this.outputSize * (this.joins ? this.directions : 1) };
    const suffixes = Array.from({ length: this.numLayers }, (_, layer) => this.suffixes(layer));
    const planned = plannedParameters(cell, sizes, suffixes, { ...taken, gateBias }, this.regularizer);
    // This check comes before anything is allocated.
    checkCount(
      name,
      "all its parameters together",
      planned.reduce((sum, [, shape]) => sum + sizeOf(shape), 0),
    );
    for (const [label, ...of] of planned) this.addParameter(label, new Parameter(...of));
    this.given = { ...given, seed: undefined };
    this.initialize(options.seed ?? anySeed());
  }

  override get inputFeatures(): number {
    return this.inputSize;
  }

  /** The functions of the gates in each direction; undefined if the layer's cell has its own. @internal */
  get gateFunctions(): readonly GateFunctions[] | undefined {
    const functions = this.suffixes(0).map((_, direction) => (this.cells[direction] ?? this.cell).functions);
    return functions.every((each) => each !== undefined) ? functions : undefined;
  }

  /** Names of the states. @internal */
  get stateNames(): readonly string[] {
    return ["h", ...this.cell.states];
  }

  override describe(): readonly unknown[] {
    return [this.inputSize, this.hiddenSize, this.given];
  }

  override get saysBatchFirst(): boolean {
    return this.timeSecond;
  }

  override get readsBackwards(): boolean {
    return this.directions === 2 || this.reverse;
  }

  override get countsSteps(): boolean {
    return this.regularizer.normalizedSteps > 1;
  }

  override get furtherCode(): readonly Part<unknown>[] {
    return [
      ...(this.regularizer.acts(true) ? [regularized, regularization] : []),
      ...(phasesOf(this.cell) === 1 ? [] : [twoPhase]),
      ...(this.cell.perUnit ? [perUnit] : []),
      ...(this.numLayers > 1 ? [stacking] : []),
      ...(this.outputSize === this.hiddenSize ? [] : [projection]),
      ...(this.dropout === 0 ? [] : [dropping]),
      ...(this.directions === 1 ? [] : [merging]),
      ...(this.batchFirst ? [turning] : []),
    ];
  }

  /** Whether outputs of both directions lie side by side. */
  private get joins(): boolean {
    return this.merge === "concat" || this.merge === "none";
  }

  private suffixes(layer: number): string[] {
    return this.directions === 2 ? [`l${layer}`, `l${layer}_reverse`] : [`l${layer}`];
  }

  private laneOf(
    context: Context,
    suffix: string,
    direction: number,
    initialH: Variable | undefined,
    initialMemory: readonly (Variable | undefined)[],
  ): Lane {
    return {
      label: context.label(suffix),
      reverse: this.reverse || direction === 1,
      initialH,
      initialMemory,
      weights: {
        inputWeight: context.parameter(`weight_ih_${suffix}`),
        recurrentWeight: this.cell.recurrence === "none" ? undefined : context.parameter(`weight_hh_${suffix}`),
        inputBias: this.bias ? context.parameter(`bias_ih_${suffix}`) : undefined,
        recurrentBias: this.bias === true ? context.parameter(`bias_hh_${suffix}`) : undefined,
        perUnit: this.cell.perUnit && context.parameter(`${this.cell.perUnit.parameter}_${suffix}`),
        gains: this.regularizer.gains && regularization.now.gainsOf(this.regularizer, context, suffix, this.bias !== false),
      },
    };
  }

  /**
   * Runs one layer in as few ops as possible. Each direction is an op by itself if the layer has a projection or running
   * statistics, or if the directions have different functions.
   */
  private layer(
    context: Context,
    layer: number,
    x: Variable,
    lanes: readonly Lane[],
    rows: Pick<RecurrentOptions, "lengths" | "hasGaps">,
  ): RecurrentResult[] {
    const { tape } = context;
    const op = tape.options.recurrent ?? recurrent;
    const label = context.label(`l${layer}`);
    const suffixes = this.suffixes(layer);
    const run = (some: readonly Lane[], input: Variable, direction = 0): RecurrentResult[] =>
      op(tape, some.length > 1 ? label : some[0].label, input, some, {
        cell: this.cells[direction] ?? this.cell,
        ...rows,
        regularization: this.regularizer.acts(context.training)
          ? regularization.now.regularizationOf(this.regularizer, context, some.length, suffixes[direction])
          : undefined,
      });
    if (this.outputSize !== this.hiddenSize) {
      return lanes.map((lane, n) =>
        projection.now.projected(
          context,
          context.parameter(`weight_hr_${suffixes[n]}`),
          x,
          lane,
          rows.lengths,
          (made, input) => run([made], input, n)[0],
        ),
      );
    }
    const apart = this.regularizer.runningShape !== undefined || this.cells.some(({ name }) => name !== this.cell.name);
    return apart ? lanes.flatMap((lane, n) => run([lane], x, n)) : run(lanes, x);
  }

  forward(context: Context, input: Variable): Variable {
    checkCall(this.name, context, input);
    if (input.shape.length === 2) return this.single(context, input);
    checkShape(this.name, "input", input.shape, [...(this.batchFirst ? ["batch", "steps"] : ["steps", "batch"]), this.inputSize]);
    if (!this.batchFirst) return this.sequence(context, input);
    const { tape } = context;
    const { permute } = turning.now;
    const y = this.sequence(context, permute(tape, context.label("input.time"), input, [1, 0, 2]));
    return permute(tape, context.label("output.batch"), y, y.shape.length === 4 ? [1, 0, 2, 3] : [1, 0, 2]);
  }

  /** A sequence without a batch: [steps, I] to [steps, D·H], with states [layers·D, H]. */
  private single(context: Context, input: Variable): Variable {
    checkShape(this.name, "input", input.shape, ["steps", this.inputSize]);
    const [T, I] = input.shape;
    if (context.lengths) throw new RnnError("option", this.name, `lengths need an input with a batch, got [${T}, ${I}]`);
    if (context.tape.options.recurrent)
      throw new RnnError("option", this.name, `gradientFlow needs an input with a batch; reshape [${T}, ${I}] to [${T}, 1, ${I}]`);
    const ofOne = context.within({
      initialState: (name, [layers, , size]) => context.initialState(name, [layers, size])?.map((h) => h.reshaped([1, size])),
      finalState: (name, [layers, , size], values) =>
        context.finalState(
          name,
          [layers, size],
          values.map((h) => h.reshaped([size])),
        ),
    });
    const y = this.sequence(ofOne, input.reshaped([T, 1, I]));
    return y.reshaped([T, ...y.shape.slice(2)]);
  }

  /** @param input [T, B, I] */
  private sequence(context: Context, input: Variable): Variable {
    const { tape } = context;
    let x = input;
    const [T, B] = x.shape;
    const { hasGaps } = context;
    const lengths = context.lengths ?? tape.recording.buffer(context.label("lengths"), [B], "constant", "u32", new Uint32Array(B).fill(T));
    const stateShape = (size: number): number[] => [this.numLayers * this.directions, B, size];
    const h0 = context.initialState("h", stateShape(this.outputSize));
    const { states } = this.cell;
    const memory0 = states.map((name) => context.initialState(name, stateShape(this.hiddenSize)));
    const hN: Variable[] = [];
    const memoryN: Variable[][] = states.map(() => []);
    // States that are not given are zeros.
    const memoryOf = (lane: number): (Variable | undefined)[] => memory0.map((given) => given?.[lane]);
    const lanesOf = (layer: number): Lane[] =>
      this.suffixes(layer).map((suffix, direction) =>
        this.laneOf(context, suffix, direction, h0?.[layer * this.directions + direction], memoryOf(layer * this.directions + direction)),
      );
    const keepStates = ({ finalH, finalMemory }: RecurrentResult): void => {
      hN.push(finalH);
      finalMemory.forEach((final, s) => memoryN[s].push(final));
    };
    const keep = (result: RecurrentResult, label: string): Variable => {
      keepStates(result);
      const { y } = result;
      return context.lengths && !hasGaps ? maskSteps(tape, `${label}.masked`, y, lengths) : y;
    };
    const dropsOut = this.dropout > 0 && context.training;
    const plain = this.outputSize === this.hiddenSize && !this.regularizer.acts(context.training);
    const sizes = { T, B, H: this.hiddenSize, heads: this.heads };
    const stacked = plain && !this.readsBackwards && !dropsOut && canStack(tape, this.cell, sizes, this.numLayers);
    if (stacked) {
      const layers = Array.from({ length: this.numLayers }, (_, layer) => lanesOf(layer)[0]);
      const results = recurrent(tape, context.label("layers"), x, layers, { cell: this.cell, lengths, hasGaps, stacked });
      results.slice(0, -1).forEach(keepStates);
      x = keep(results[results.length - 1], layers[layers.length - 1].label);
    }
    for (let layer = 0; layer < this.numLayers && !stacked; layer++) {
      if (layer > 0 && dropsOut) {
        x = dropping.now.dropElements(context, `l${layer}.dropout`, x, this.dropout, this.variational ? 0 : undefined);
      }
      const lanes = lanesOf(layer);
      const outputs = this.layer(context, layer, x, lanes, { lengths, hasGaps }).map((result, n) => keep(result, lanes[n].label));
      x = outputs.length === 1 ? outputs[0] : merging.now.mergeDirections(context, outputs, this.merge);
    }
    context.finalState("h", stateShape(this.outputSize), hN);
    states.forEach((name, s) => context.finalState(name, stateShape(this.hiddenSize), memoryN[s]));
    return this.merge === "none" ? x.reshaped([T, B, 2, this.outputSize]) : x;
  }
}
