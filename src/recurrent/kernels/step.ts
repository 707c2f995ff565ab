/**
 * One time step of a recurrent layer in one dispatch, forward and backward, for any single-phase cell. Lanes, segments
 * and letters as in lanes.ts; `i` counts the steps of the segment in the order of computation.
 *
 * In a stack (the wavefront), the lanes are layers, all forwards. Dispatch i computes step i - l of layer l, which
 * makes T+L-1 dispatches; i ascends in the forward pass and descends in the backward pass. A layer above the first has
 * H inputs and reads them from the layer below. Its W lies behind the lanes' own weights, and its gradient goes back
 * through W.
 */
import type { Cell } from "../cells/cell.ts";
import { functionsSource } from "../cells/gate-functions.ts";
import { defineKernel, type Workgroups } from "../../kernels/kernel.ts";
import {
  structsPath,
  constantsOf,
  formName,
  weightsSource,
  weightWords,
  withWeights,
  type KernelForm,
  type RecurrentParts,
} from "./recurrent-kernel.ts";
import { segmentParams } from "./lanes.ts";

/**
 * Rows of the batch in a workgroup of a step. Where threads share sums, eight rows read the weights half as often; but fewer
 * workgroups then share the work, which costs more where there is little of it. The limit is from estimates (bench/NOTES.md).
 */
export const stepRows = (form: KernelForm, G: number, B: number, H: number): 4 | 8 =>
  form.shared && B > 8 && B * H * weightWords(G, form) >= 2 ** 15 ? 8 : 4;

/** The form of the kernels of a step of this size. */
export const stepForm = (cell: Cell, form: KernelForm, { B, H }: Pick<StepGrid, "B" | "H">): KernelForm => ({
  ...form,
  rows: stepRows(form, cell.gateNames.length, B, H),
});

interface StepGrid {
  readonly lanes: number;
  readonly B: number;
  readonly H: number;
}
/** Workgroups of a step, each with 64 units, or with those of `sharedStep`. */
export const stepGroups =
  ({ shared, rows = 4 }: KernelForm) =>
  ({ lanes, B, H }: StepGrid): Workgroups => [Math.ceil(H / (shared ? sharedStep({}).units : 64)), Math.ceil(B / rows), lanes];

export const forwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "lanes of [steps, B, H, G]; in: W·x + b_ih, out: activated gates" },
  weights: {
    access: "read",
    type: "f32",
    shape:
      "lanes of [H+1, H, G], or with 4 for a G of 3 (`weightWidth`): from unit k to the gates of unit j; then b_hh, and the units' own parameters; stacked, then W and b_ih of all layers but the first in the same way",
  },
  h: { access: "read_write", type: "f32", shape: "lanes of hBase + [T+1, B, H]" },
  c: { access: "read_write", type: "f32", shape: "lanes of [T+1, states but h, B, H]; unused by cells without c" },
  lengths: { access: "read", type: "u32", shape: "[B]: steps of each row; or where the bits of its steps begin, which lie behind" },
} as const;

/** A workgroup whose threads share sums: its rows of the batch (default 4), and whether the threads keep their weights. */
export interface SharedSums {
  readonly rows?: 1 | 2 | 4 | 8;
  readonly holds?: boolean;
}
/** The WGSL file for so many rows. */
export const rowsSource = { 1: "lib/one-row", 2: "lib/two-rows", 4: "lib/four-rows", 8: "lib/eight-rows" } as const;

/** The WGSL files of the products of such a workgroup. */
export const sharedSources = (pass: RecurrentParts["pass"], { rows = 4, holds }: SharedSums): string[] => [
  rowsSource[rows],
  "lib/eight-weights",
  `lib/weights-${holds ? "held" : "streamed"}`,
  `lib/products-${pass}-shared`,
  `lib/fold-${pass}${rows === 8 ? "-eight" : ""}`,
];

/** The WGSL files of a strategy joined to a cell. */
export function cellSources(
  cell: Cell,
  strategy: "step" | "loop",
  pass: RecurrentParts["pass"],
  form: KernelForm,
  shared: SharedSums,
): string[] {
  return [
    "lib/activations",
    structsPath,
    "lib/cell",
    "lib/lane",
    weightsSource(cell, form),
    "lib/cell-weights",
    ...functionsSource(cell),
    ...(pass === "backward" ? ["lib/gate-gradients"] : []),
    ...(form.shared ? sharedSources(pass, shared) : [`lib/products-${pass}`]),
    `cells/${cell.shader}`,
    `lib/${strategy}-${pass}`,
    ...(form.shared && strategy === "step" ? [`lib/staged-${pass}`] : []),
    `strategies/${strategy}-${pass}${form.shared ? "-shared" : ""}`,
  ];
}

/**
 * A workgroup of few units, so that a GPU has many of them. Eight threads share a sum; an array holds the states or gradients
 * of 128 units in four rows, or of 64 in eight. With eight rows, a thread has no registers for two eights of
 * weights at once (`inPairs`).
 */
export const sharedStep = ({ rows = 4 }: KernelForm) => ({
  units: 32,
  shares: 8,
  threads: 256,
  tileLength: 64 / rows,
  inPairs: rows === 4 ? 1 : 0,
});

/** Name and pipeline constants. */
export const stepVariant = (cell: Cell, pass: RecurrentParts["pass"], form: KernelForm) => ({
  name: `step-${pass}${form.shared ? "-shared" : ""}:${cell.name}${formName(form)}`,
  recurrent: { cell, strategy: "step", pass, form } as const,
  sources: cellSources(cell, "step", pass, form, form),
  constants: { ...constantsOf(cell, form), ...(form.shared ? sharedStep(form) : {}) },
  workgroups: stepGroups(form),
});

/** @see forwardBindings, and `shaders/strategies/step-forward.wgsl` */
export const stepForward = (cell: Cell, form: KernelForm = {}) =>
  defineKernel({
    ...stepVariant(cell, "forward", form),
    bindings: withWeights(forwardBindings, form),
    params: { ...segmentParams, i: "u32" },
  });
