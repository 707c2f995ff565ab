/**
 * Runs the time loop of a recurrent layer, or of a segment of it, in one dispatch, for at most `mostLoopUnits` units. A
 * workgroup owns four rows of the batch in one lane (one row if the batch has one, but always four for a two-phase
 * cell); a thread owns one unit. On GPUs several threads share a unit's sum over k, and a workgroup owns one, two or four
 * rows (`sharedGroup`). The twins run the twin of one step for each step; the kernels must give the same
 * results. Letters, lanes and bindings are those of `step.ts`.
 */
import type { Cell } from "../cells/cell.ts";
import { defineKernel, type Workgroups } from "../../kernels/kernel.ts";
import { constantsOf, formName, withWeights, type KernelForm, type RecurrentParts } from "./recurrent-kernel.ts";
import { segmentParams } from "./lanes.ts";
import { backwardBindings, cellSources, forwardBindings } from "./step.ts";

/** Units that one workgroup can hold: WebGPU guarantees 256 invocations. */
export const mostLoopUnits = 256;

/** Rows of the batch per workgroup. Four rows share each loaded weight; a batch of one has nothing to share. */
const rowsFor = (batch: number): 1 | 4 => (batch === 1 ? 1 : 4);
export const groupsOf =
  (rows: number) =>
  ({ B, lanes }: { B: number; lanes: number }): Workgroups => [Math.ceil(B / rows), 1, lanes];

/** Threads of a workgroup: one per unit, in whole subgroups. */
export const threadsFor = (units: number): number => Math.ceil(units / 32) * 32;

/** The steps of BPTT in the order of computation. `tail` adds the gradient for the segment before, at the end. */
export function stepsBack(steps: number, tail: boolean): { i: number; tail: 0 | 1 }[] {
  const back = Array.from({ length: steps }, (_, n) => ({ i: steps - 1 - n, tail: 0 as const }));
  return tail ? [...back, { i: 0, tail: 1 }] : back;
}

/** A workgroup whose threads own a unit each. Its array is in the layout of lib/products-*.wgsl. */
function plainGroup(pass: RecurrentParts["pass"], units: number, batch: number) {
  const [threads, rows] = [threadsFor(units), rowsFor(batch)];
  const constants =
    pass === "forward" ? { tileUnits: 2 * threads, tileLength: 2 * threads } : { tileUnits: threads, tileLength: rows * threads };
  return { size: `${threads}x${rows}`, holds: false, rows, constants: { threads, rows, ...constants } };
}

/**
 * Units of U that a thread may keep the weights of (`weights-held.wgsl`), so that four gates of them fit into its registers.
 * Halves take half the room. Where a workgroup has few threads, each of at most `fewThreads` has room for twice as many.
 */
const heldUnits = (half: boolean, mostThreads: number): number => (half ? (mostThreads > 512 ? 32 : 64) : 16);
const fewThreads = 256;
/** Whether the threads of a loop with shared sums keep all weights, and read none after the first step. */
export const holdsWeights = (units: number, mostThreads: number, half = false): boolean =>
  threadsFor(units) * Math.ceil(units / heldUnits(half, mostThreads)) <= (half && mostThreads <= 512 ? fewThreads : mostThreads);

/** Workgroups of a loop that are enough for a GPU. A batch with more than so many rows has several rows in one. */
const enoughGroups = 32;

/**
 * A workgroup whose threads share sums over k, as many as keep all weights in registers if the device has so many; else
 * as many as fit. Each row needs a share that finishes it.
 */
export function sharedGroup(units: number, batch: number, mostThreads: number, half = false) {
  const wide = threadsFor(units);
  const holds = holdsWeights(units, mostThreads, half);
  const held = heldUnits(half, mostThreads);
  const shares = holds ? Math.ceil(units / held) : Math.max(1, Math.min(8, Math.floor(mostThreads / wide)));
  // Each workgroup reads all weights that it does not hold in every step.
  const groups = holds ? enoughGroups : enoughGroups / 2;
  const rows = ([1, 2, 4] as const).find((n) => n * groups >= batch || 2 * n > shares) ?? 4;
  // What shares hold may end behind the last unit.
  const tileLength = Math.max(wide, holds ? shares * held : 0) / 8;
  const constants = { units: wide, shares, threads: wide * shares, tileLength, ...(holds ? { heldEights: held / 8 } : {}) };
  return { size: `${wide}x${shares}x${rows}${holds ? ":held" : ""}`, holds, rows, constants };
}

/** Rows of the batch that such a workgroup owns. */
export const sharedRows = (units: number, batch: number, mostThreads: number): number => sharedGroup(units, batch, mostThreads).rows;

/** Name and pipeline constants: a pipeline per number of threads and of rows. */
function variant(cell: Cell, pass: RecurrentParts["pass"], units: number, batch: number, form: KernelForm) {
  const { size, holds, rows, constants } = form.shared ? sharedGroup(units, batch, form.shared, form.half) : plainGroup(pass, units, batch);
  return {
    name: `loop-${pass}${form.shared ? "-shared" : ""}:${cell.name}:${size}${formName(form)}`,
    recurrent: { cell, strategy: "loop", pass, form } as const,
    sources: cellSources(cell, "loop", pass, form, { rows, holds }),
    constants: { ...constantsOf(cell, form), ...constants },
    workgroups: groupsOf(rows),
  };
}

export const loopForward = (cell: Cell, units: number, batch: number, form: KernelForm = {}) =>
  defineKernel({ ...variant(cell, "forward", units, batch, form), bindings: withWeights(forwardBindings, form), params: segmentParams });

/** With `tail` 1, the loop ends with the product that leaves the gradient for the segment before in `carry`. */
export const loopBackward = (cell: Cell, units: number, batch: number, form: KernelForm = {}) =>
  defineKernel({
    ...variant(cell, "backward", units, batch, form),
    bindings: withWeights(backwardBindings, form),
    params: { ...segmentParams, tail: "u32" },
  });
