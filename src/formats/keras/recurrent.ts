/** Keras' recurrent layers: SimpleRNN, GRU, LSTM, RNN over their cells, and Bidirectional of one of them. */
import type { Variable } from "../../autodiff/tape.ts";
import { show } from "../../errors.ts";
import type { Context } from "../../nn/context.ts";
import { mergeDirections, type Merge } from "../../nn/merge.ts";
import { Module } from "../../nn/module.ts";
import * as ops from "../../nn/ops.ts";
import { GRU } from "../../recurrent/layer/gru.ts";
import { LSTM } from "../../recurrent/layer/lstm.ts";
import { RNN } from "../../recurrent/layer/rnn.ts";
import type { RecurrentLayerOptions } from "../../recurrent/layer/layer-options.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { asList, formatError, get, isObject } from "../imported.ts";
import { gateFunction } from "./activations.ts";
import { reordered, transposed } from "../layouts.ts";
import { checkArray, matrixSizes } from "./arrays.ts";
import { expectOption, flag, layerOf, number, placeOf, where, type LayerConfig } from "./config.ts";
import type { Builder, Flow, Layer } from "./layer.ts";
import { withMask } from "./steps.ts";
import type { LayerArrays } from "./weights.ts";

type Kind = "SimpleRNN" | "GRU" | "LSTM";

/** PyTorch's gates by their places in Keras' order: r z n of z r h, i f g o of i f c o. */
const orders: Readonly<Record<Kind, readonly number[]>> = { SimpleRNN: [0], GRU: [1, 0, 2], LSTM: [0, 1, 2, 3] };

/** One cell with its arrays, in PyTorch's layout. */
interface Cell {
  readonly kind: Kind;
  readonly layer: LayerConfig;
  readonly inputs: number;
  readonly units: number;
  readonly resetAfter: boolean;
  readonly weights: Readonly<Record<"weight_ih" | "weight_hh" | "bias_ih" | "bias_hh", Tensor | undefined>>;
}

function kindOf(layer: LayerConfig): Kind {
  const kind = layer.kind.replace(/Cell$/, "");
  if (kind === "SimpleRNN" || kind === "GRU" || kind === "LSTM") return kind;
  throw formatError(where, `the cell ${placeOf(layer)} is not read; known are SimpleRNN, GRU and LSTM`);
}

/** Options that change what a layer computes and are not read. */
function checkOptions(layer: LayerConfig): void {
  expectOption(layer, "time_major", false);
  expectOption(layer, "input_length", get(layer.config, "input_length") ?? null);
}

function readCell(layer: LayerConfig, arrays: LayerArrays): Cell {
  const kind = kindOf(layer);
  checkOptions(layer);
  const order = orders[kind];
  const hasBias = flag(layer, "use_bias", true);
  const [kernel, recurrent, bias] = arrays.take(layer, ["kernel", "recurrent_kernel", ...(hasBias ? ["bias"] : [])]) as (
    Tensor | undefined
  )[];
  const [inputs, columns] = matrixSizes(layer, "kernel", kernel!);
  const units = columns / order.length;
  if (number(layer, "units") !== units)
    throw formatError(where, `${placeOf(layer)} has units ${show(get(layer.config, "units"))}, but its kernel has ${columns} columns`);
  checkArray(layer, "recurrent_kernel", recurrent!, [units, columns]);
  // Before GRUs had it, the reset was before the product.
  const resetAfter = kind === "GRU" && flag(layer, "reset_after", false);
  if (bias) checkArray(layer, "bias", bias, resetAfter ? [2, columns] : [columns]);
  const row = (i: number): Tensor | undefined =>
    bias && reordered({ shape: [columns], data: bias.data.slice(i * columns, (i + 1) * columns) }, order);
  const weights = {
    weight_ih: transposed(kernel!, order),
    weight_hh: transposed(recurrent!, order),
    bias_ih: row(0),
    bias_hh: resetAfter ? row(1) : undefined,
  };
  return { kind, layer, inputs, units, resetAfter, weights };
}

/** Our layer for a cell, or for the cells of both directions. */
function makeModule(cells: readonly Cell[], options: RecurrentLayerOptions): Module {
  const [{ kind, layer, inputs, units, resetAfter, weights }] = cells;
  const all: RecurrentLayerOptions = {
    batchFirst: true,
    seed: 0,
    bias: weights.bias_hh ? true : weights.bias_ih ? "input" : false,
    recurrentDropout: number(layer, "recurrent_dropout", 0),
    bidirectional: cells.length === 2,
    ...options,
  };
  const candidate = gateFunction(layer, "activation", "tanh");
  const usual = layer.era === 3 || kind === "SimpleRNN" ? "sigmoid" : "hard_sigmoid";
  const gates = kind === "SimpleRNN" ? undefined : gateFunction(layer, "recurrent_activation", usual);
  const module =
    kind === "SimpleRNN"
      ? new RNN(inputs, units, { ...all, activations: { candidate } })
      : kind === "GRU"
        ? new GRU(inputs, units, { ...all, reset: resetAfter ? "after" : "before", activations: { gates, candidate } })
        : new LSTM(inputs, units, { ...all, activations: { gates, candidate, output: candidate } });
  const dict: Record<string, Tensor> = {};
  cells.forEach((cell, direction) => {
    for (const [name, value] of Object.entries(cell.weights)) if (value) dict[`${name}_l0${direction === 1 ? "_reverse" : ""}`] = value;
  });
  module.loadStateDict(dict);
  return module;
}

/** Runs a layer of ours, with the states that the network gives it, and collects what it ends with. */
function runModule(module: Module, context: Context, { x, mask }: Flow, states: readonly Variable[] | undefined, directions: number) {
  const ends: Variable[] = [];
  const names = module instanceof LSTM ? ["h", "c"] : ["h"];
  const scoped = withMask(context, mask).within({
    // Keras has them by direction, then h and c.
    ...(states && {
      initialState: (name: string) => Array.from({ length: directions }, (_, d) => states[d * names.length + names.indexOf(name)]),
    }),
    finalState: (name, shape, values) => {
      ends.push(...values);
      if (!states) context.finalState(name, shape, values);
    },
  });
  const y = module.forward(scoped, x);
  // h of each direction, then c of each. Final states may lie where a kernel cannot bind them, so they are copied.
  const copied = ends.map((end) => ops.slice(context, end, 0, 0, end.shape[0]));
  const byDirection = Array.from({ length: directions }, (_, d) => names.map((_, state) => copied[state * directions + d]));
  return { y, ends: byDirection };
}

/** The layers of a stack of cells, by their places. */
class Stack extends Module {
  constructor(readonly layers: readonly Module[]) {
    super();
    layers.forEach((layer, i) => this.addChild(String(i), layer));
  }

  /** The stack runs them one by one. */
  forward(): never {
    throw new Error("a stack of cells runs its layers itself");
  }
}

interface Shared {
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly zeroOutput: boolean;
}

const sharedOf = (layer: LayerConfig): Shared => ({
  returnSequences: flag(layer, "return_sequences"),
  returnState: flag(layer, "return_state"),
  zeroOutput: flag(layer, "zero_output_for_mask"),
});

const zeroed = (context: Context, { x, mask }: Flow): Variable => (mask ? ops.multiply(context, x, mask) : x);

/** Layers of one direction, the cells of a stack on each other. */
function stack(layer: LayerConfig, cells: readonly Cell[]): Layer {
  const { returnSequences, returnState, zeroOutput } = sharedOf(layer);
  const backwards = flag(layer, "go_backwards");
  const modules = cells.map((cell) => makeModule([cell], { reverse: backwards }));
  const run = (context: Context, [input, ...states]: readonly Flow[]): readonly Flow[] => {
    let flow = input;
    const finals: Variable[] = [];
    let given = states.map(({ x }) => x);
    let last: Variable | undefined;
    modules.forEach((module, i) => {
      const count = cells[i].kind === "LSTM" ? 2 : 1;
      const at = modules.length === 1 ? context : context.child(String(i));
      const { y, ends } = runModule(module, at, flow, given.length > 0 ? given.slice(0, count) : undefined, 1);
      given = given.slice(count);
      finals.push(...ends[0]);
      last = ends[0][0];
      flow = { x: y, mask: flow.mask };
    });
    // Keras returns outputs in the order of reading.
    const sequence = (): Variable => {
      const x = zeroOutput ? zeroed(context, flow) : flow.x;
      return backwards ? ops.flip(context, x, 1) : x;
    };
    const output: Flow = returnSequences ? { x: sequence(), mask: flow.mask } : { x: last! };
    return [output, ...(returnState ? finals.map((x) => ({ x })) : [])];
  };
  const names = cells.map(({ kind, inputs, units }) => `${kind === "SimpleRNN" ? "RNN" : kind}(${inputs}, ${units})`);
  return {
    became: names.join(" → ") + (backwards ? " from the last step to the first" : "") + (returnSequences ? "" : ", last output"),
    module: modules.length === 1 ? modules[0] : new Stack(modules),
    run,
  };
}

export const recurrentLayer: Builder = (layer, arrays) => stack(layer, [readCell(layer, arrays.inner("cell"))]);

/** `RNN(cell)`, where a list of cells is a stack. */
export const rnnOverCells: Builder = (layer, arrays) => {
  const given = get(layer.config, "cell");
  const cell = layerOf(given, `the cell of ${placeOf(layer)}`, layer.era);
  if (cell.kind !== "StackedRNNCells") return stack(layer, [readCell(cell, arrays.inner("cell"))]);
  const inner = asList(where, `cells of ${placeOf(layer)}`, get(cell.config, "cells"));
  const layers = inner.map((one) => layerOf(one, `a cell of ${placeOf(layer)}`, layer.era));
  const parts = arrays.inner("cell").parts(layers, "cells");
  return stack(
    layer,
    layers.map((one, i) => readCell(one, parts[i])),
  );
};

const merges: Readonly<Record<string, Merge>> = { concat: "concat", sum: "sum", mul: "mul", ave: "average" };

/** What both directions must have in common, since they are one layer here. */
const common = [
  "units",
  "activation",
  "recurrent_activation",
  "use_bias",
  "reset_after",
  "return_sequences",
  "return_state",
  "recurrent_dropout",
];

export const bidirectional: Builder = (layer, arrays) => {
  const forwards = layerOf(get(layer.config, "layer"), `the layer of ${placeOf(layer)}`, layer.era);
  const given = get(layer.config, "backward_layer");
  const backwards = isObject(given) ? layerOf(given, `backward_layer of ${placeOf(layer)}`, layer.era) : forwards;
  const other = common.find((name) => JSON.stringify(get(forwards.config, name)) !== JSON.stringify(get(backwards.config, name)));
  if (other !== undefined || forwards.kind !== backwards.kind || flag(forwards, "go_backwards"))
    throw formatError(where, `${placeOf(layer)} has directions that differ${other === undefined ? "" : ` in ${other}`}, which is not read`);
  const cellOf = (one: LayerConfig, name: "forward_layer" | "backward_layer"): Cell => {
    const inside = arrays.inner(name);
    if (one.kind !== "RNN") return readCell(one, inside.inner("cell"));
    return readCell(layerOf(get(one.config, "cell"), `the cell of ${placeOf(one)}`, one.era), inside.inner("cell"));
  };
  const cells = [cellOf(forwards, "forward_layer"), cellOf(backwards, "backward_layer")];
  const mode = get(layer.config, "merge_mode") ?? null;
  if (mode !== null && (typeof mode !== "string" || !Object.hasOwn(merges, mode)))
    throw formatError(where, `${placeOf(layer)} has merge_mode ${show(mode)}; known are ${Object.keys(merges).join(", ")} and null`);
  const merge: Merge = mode === null ? "none" : merges[mode];
  const module = makeModule(cells, { merge });
  const { returnSequences, returnState } = sharedOf(forwards);
  const [{ kind, inputs, units }] = cells;
  return {
    became: `bidirectional ${kind === "SimpleRNN" ? "RNN" : kind}(${inputs}, ${units}), ${merge}${returnSequences ? "" : ", last output"}`,
    module,
    run(context, [input, ...states]) {
      const { y, ends } = runModule(module, context, input, states.length > 0 ? states.map(({ x }) => x) : undefined, 2);
      const outputs = returnSequences
        ? sequences(context, y, merge)
        : lastOutputs(
            context,
            ends.map(([h]) => h),
            merge,
          );
      // With a mask, both directions give zeros at steps that do not count.
      const flows = outputs.map((x) => (returnSequences ? { x: zeroed(context, { x, mask: input.mask }), mask: input.mask } : { x }));
      return [...flows, ...(returnState ? ends.flat().map((x) => ({ x })) : [])];
    },
  };
};

/** With "none" the directions lie side by side in an axis of their own, and are two outputs in Keras. */
function sequences(context: Context, y: Variable, merge: Merge): Variable[] {
  if (merge !== "none") return [y];
  const [B, T, , H] = y.shape;
  return [0, 1].map((d) => ops.reshape(context, ops.slice(context, y, 2, d, d + 1), [B, T, H]));
}

const lastOutputs = (context: Context, ends: readonly Variable[], merge: Merge): Variable[] =>
  merge === "none" ? [...ends] : [mergeDirections(context, ends, merge)];
