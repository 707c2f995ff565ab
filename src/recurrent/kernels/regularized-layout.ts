/** The forms of the regularized kernels (regularized.ts), and the layout of their buffers. */
import type { Cell } from "../cells/cell.ts";
import { align, type Params } from "../../kernels/kernel.ts";
import { segmentParams, type Segment } from "./lanes.ts";
import { perUnitRows } from "./recurrent-kernel.ts";

export type Normalization = "none" | "layer" | "batch";

/** Values of the shaders' `normalizes`. */
export const normalizes: Readonly<Record<Normalization, number>> = { none: 0, layer: 1, batch: 2 };

/** Options that need another pipeline. */
export interface RegularizedForm {
  readonly normalization: Normalization;
  /** Whether there is zoneout. */
  readonly zones: boolean;
  /** Whether there is recurrent dropout. */
  readonly drops: boolean;
  /** Whether the kernel computes the products too; see `regularized.ts`. */
  readonly fused: boolean;
  /** As in a `KernelForm`; of fused kernels only. */
  readonly shared?: number;
  /** As in a `KernelForm`. */
  readonly gaps?: boolean;
}

/** Values of `statistics`: take the batch's; take the batch's and add them to the running ones; take the running ones. */
export const statisticsModes = { batch: 0, kept: 1, running: 2 } as const;

export const regularizedParams = {
  ...segmentParams,
  i: "u32",
  count: "u32",
  tail: "u32",
  stream: "u32",
  draws: "u32",
  zoneH: "f32",
  zoneC: "f32",
  dropP: "f32",
  epsilon: "f32",
  statistics: "u32",
  momentum: "f32",
  keptSteps: "u32",
} as const;
export type RegularizedParams = Params<typeof regularizedParams>;

export const normalized = ({ normalization }: Pick<RegularizedForm, "normalization">): boolean => normalization !== "none";
export const normalizesMemory = (cell: Cell, form: Pick<RegularizedForm, "normalization">): boolean =>
  normalized(form) && cell.hasReadOut === true;

/** Rows of weights behind U: b_hh, the units' own parameters, the gains and biases of normalisation. */
export const extraRows = (cell: Cell, form: Pick<RegularizedForm, "normalization">): number =>
  1 + perUnitRows(cell) + (normalized(form) ? 4 : 0);

/** The places of a lane's sides and statistics in `recurrent`, in numbers; `size` is that of a lane. */
export function regularizedLayout(
  { B, H, steps }: Pick<Segment, "B" | "H" | "steps">,
  G: number,
  { normalization }: Pick<RegularizedForm, "normalization">,
) {
  const part = align(steps * B * H) * G;
  const sides = normalization === "none" ? 1 : 2;
  const groups = normalization === "batch" ? H : B;
  return { r: (sides - 1) * part, statistics: sides * part, size: sides * part + align(steps * groups * 12), groups };
}

/**
 * Parts of a lane's carry, in units of `align(B·H)` numbers: dh and dc side by side [B, H, 2]; the product's gradient
 * for h_{t-1} [B, H]; sums [B, H, G] for γ_x, b_ih, γ_h, b_hh; the recurrent side's gradient before its norm; sums for
 * γ_c and β_c [B, H].
 */
export const carryParts = (G: number, form: Pick<RegularizedForm, "normalization">) => ({
  product: 2,
  inputGain: 3,
  inputBias: 3 + G,
  recurrentGain: 3 + 2 * G,
  recurrentBias: 3 + 3 * G,
  beforeNorm: 3 + 4 * G,
  memoryGain: 3 + 5 * G,
  memoryBias: 4 + 5 * G,
  count: normalized(form) ? 5 + 5 * G : 3,
});

/** Bits of the gates in each group that layer normalisation normalises together. */
export function gateBits(cell: Cell): [number, number] {
  const { gateNames, parameterGates = gateNames, normalizedTogether = [parameterGates] } = cell;
  const bits = (group: readonly string[] = []): number => group.reduce((sum, gate) => sum | (1 << gateNames.indexOf(gate)), 0);
  return [bits(normalizedTogether[0]), bits(normalizedTogether[1])];
}
