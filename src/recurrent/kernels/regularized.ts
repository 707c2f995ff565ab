/**
 * Computes steps of a recurrent layer with normalisation (of both sides of the gates and of the memory), zoneout, or
 * dropout of h_{t-1}. For any cell with one product:
 *
 *   a_t = γ_x⊙N(W·x_t) + b_ih   and   γ_h⊙N(U·(z⊙h_{t-1})) + b_hh   are the cell's two sides;
 *   of an LSTM h̃_t = o⊙tanh(γ_c⊙N(c̃_t) + β_c);   h_t = d⊙h_{t-1} + (1 - d)⊙h̃_t, and so c_t
 *
 * N(v) = (v - mean) / √(variance + ε) acts over the units of a row (layer normalisation, Ba et al. 2016; gates are
 * grouped by `Cell.normalizedTogether`), or over the rows of the batch, step by step (batch normalisation, Cooijmans et
 * al. 2017). d is drawn anew for each number (zoneout, Krueger et al. 2017), z once for all steps (Gal & Ghahramani
 * 2016).
 *
 * A kernel computes `count` steps from step `i` of the segment on. A fused kernel computes U·h_{t-1} itself, so that
 * one dispatch does all steps. Otherwise `count` is 1, and a product runs before the kernel (behind it in the backward
 * pass). A workgroup owns a row, or a unit if it sums over the batch; such sums can therefore not be fused. Letters as
 * in lanes.ts.
 */
import type { Cell } from "../cells/cell.ts";
import { functionsSource } from "../cells/gate-functions.ts";
import { defineKernel, type Bindings, type Workgroups } from "../../kernels/kernel.ts";
import { structsPath, constantsOf, type RecurrentParts } from "./recurrent-kernel.ts";
import { mostLoopUnits, sharedGroup, threadsFor } from "./loop.ts";
import { sharedSources } from "./step.ts";
import {
  gateBits,
  normalizes,
  normalizesMemory,
  regularizedParams,
  type RegularizedForm,
  type RegularizedParams,
} from "./regularized-layout.ts";

const random = { access: "uniform", type: "u32", shape: "[4]: seed low, seed high, step low, step high" } as const;
const weights = {
  access: "read",
  type: "f32",
  shape:
    "lanes of [H+1+n, H, G]: U from unit k to the gates of unit j, in the backward pass [k, j] from j to k; b_hh; the units' own parameters; normalised, γ_x, b_ih, γ_h, and (γ_c, β_c, ..)",
} as const;

export const regularizedForwardBindings = {
  gates: {
    access: "read_write",
    type: "f32",
    shape: "lanes of [steps, B, H, G]; in: W·x (and b_ih if nothing is normalised), out: activated gates",
  },
  weights,
  h: { access: "read_write", type: "f32", shape: "lanes of hBase + [T+1, B, H]" },
  c: { access: "read_write", type: "f32", shape: "lanes of [T+1, B, H]; unused by cells without c" },
  lengths: { access: "read", type: "u32", shape: "[B]: steps of each row; or where the bits of its steps begin, which lie behind" },
  recurrent: {
    access: "read_write",
    type: "f32",
    shape: "lanes of `regularizedLayout`; in (not fused): U·(z⊙h_{t-1}), out: both sides normalised, statistics",
  },
  masked: { access: "read_write", type: "f32", shape: "z⊙h, as h; unused if nothing is dropped" },
  running: {
    access: "read_write",
    type: "f32",
    shape:
      "[keptSteps, 4·G or 4·G+2, H]: means and variances of both sides, then of the memory; unused but for batch normalisation, which keeps them of one lane only",
  },
  random,
} as const satisfies Bindings;

export const regularizedBackwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "lanes of [steps, B, H, G]; in: activated gates, out: ∂L/∂(W·x)" },
  weights,
  h: { access: "read", type: "f32", shape: "lanes of hBase + [T+1, B, H]" },
  c: { access: "read", type: "f32", shape: "lanes of [T+1, B, H]" },
  dy: { access: "read", type: "f32", shape: "lanes of [T, B, H], 0 past a row's end" },
  carry: { access: "read_write", type: "f32", shape: "lanes of `carryParts` times [B, H], each from a multiple of 64 on" },
  recurrent: {
    access: "read_write",
    type: "f32",
    shape: "as the forward pass left it; out: ∂L/∂(U·(z⊙h_{t-1})) in the recurrent side's place",
  },
  lengths: { access: "read", type: "u32", shape: "[B]" },
  random,
} as const satisfies Bindings;

/** A workgroup, whose threads share sums if the form says so; `workers` of them share the elements. */
function groupOf(units: number, G: number, pass: RecurrentParts["pass"], { normalization, shared }: RegularizedForm) {
  const batch = normalization === "batch";
  const workers = batch ? 64 : Math.min(threadsFor(units), mostLoopUnits);
  const partialLength = batch ? 2 * workers : workers;
  if (shared === undefined)
    return { size: `${workers}`, constants: { threads: workers, workers, partialLength }, product: [`lib/row-product-${pass}`] };
  const { size, holds, constants } = sharedGroup(units, 1, G, { shared });
  return {
    size,
    constants: { ...constants, workers, partialLength },
    product: [...sharedSources(pass, { rows: 1, holds }), `lib/row-product-${pass}-shared`],
  };
}

function variant(cell: Cell, units: number, pass: RecurrentParts["pass"], form: RegularizedForm) {
  const { size, constants, product } = groupOf(units, cell.gateNames.length, pass, form);
  const [firstGates, secondGates] = gateBits(cell);
  const { normalization, zones, drops, fused, gaps } = form;
  const flags = [
    normalization,
    ...(zones ? ["zoneout"] : []),
    ...(drops ? ["dropout"] : []),
    ...(fused ? ["fused"] : []),
    ...(gaps ? ["gaps"] : []),
  ];
  return {
    name: `regularized-${pass}:${cell.name}:${flags.join("-")}:${size}`,
    recurrent: { cell, strategy: "regularized", pass, form: {}, regularized: form } as const,
    sources: [
      "lib/activations",
      "lib/philox",
      "lib/finite",
      structsPath,
      "lib/cell",
      "lib/lane",
      "lib/weights-float",
      "lib/cell-weights",
      ...(cell.hasReadOut ? [] : ["lib/no-read-out"]),
      ...functionsSource(cell),
      `cells/${cell.shader}`,
      "lib/regularized",
      ...product,
      ...(pass === "forward" ? ["lib/running-statistics", "lib/regularized-forward"] : ["lib/regularized-gradient"]),
      `strategies/regularized-${pass}`,
    ],
    constants: {
      ...constantsOf(cell, { gaps }),
      normalizes: normalizes[normalization],
      normalizesMemory: normalizesMemory(cell, form) ? 1 : 0,
      firstGates,
      secondGates,
      zones: zones ? 1 : 0,
      drops: drops ? 1 : 0,
      fused: fused ? 1 : 0,
      ...constants,
    },
    params: regularizedParams,
    workgroups: ({ B, H, lanes }: RegularizedParams): Workgroups => [normalization === "batch" ? H : B, 1, lanes],
  };
}

/** @see regularizedForwardBindings, and `shaders/strategies/regularized-forward.wgsl` */
export const regularizedForward = (cell: Cell, units: number, form: RegularizedForm) =>
  defineKernel({ ...variant(cell, units, "forward", form), bindings: regularizedForwardBindings });

/** BPTT of these steps. With `tail` 1, it ends with the first step's gradient for the state before the segment. */
export const regularizedBackward = (cell: Cell, units: number, form: RegularizedForm) =>
  defineKernel({ ...variant(cell, units, "backward", form), bindings: regularizedBackwardBindings });
