/**
 * Runs the time loop of a recurrent layer, or of a segment of it, in one dispatch, for as many units as a workgroup holds. A
 * workgroup owns four rows of the batch in one lane (one row if the batch has one, but always four for a two-phase
 * cell); a thread owns one unit. On GPUs several threads share a unit's sum over k, and a workgroup owns one, two or four
 * rows (`sharedGroup`). The twins run the twin of one step for each step; the kernels must give the same
 * results. Letters, lanes and bindings are those of `step.ts`.
 */
import type { Cell } from "../cells/cell.ts";
import { defineKernel, type Workgroups } from "../../kernels/kernel.ts";
import { constantsOf, formName, weightWords, withWeights, type KernelForm, type RecurrentParts } from "./recurrent-kernel.ts";
import { segmentParams } from "./lanes.ts";
import { cellSources, forwardBindings } from "./step.ts";

/** Units that any workgroup can hold: WebGPU guarantees 256 threads. With shared sums it holds as many as it has threads. */
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

/** Words of weights that a thread has registers for. In a workgroup of few threads, each has room for twice as many. */
const heldWords = 64;
const fewThreads = 256;
/** Units of U whose weights `weights-held.wgsl` can keep. */
const mostHeldUnits = 64;

/** A form whose threads share sums. */
export type SharedForm = KernelForm & { readonly shared: number };
export const sharesSums = (form: KernelForm): form is SharedForm => form.shared !== undefined;
/** Whether workgroups have so few threads that the GPU is probably small. */
export const isSmall = ({ shared }: SharedForm): boolean => shared <= 512;

/**
 * For how many units k each thread keeps the weights between them and its own unit (`held`, as few as possible), and how
 * many threads a unit then has (`shares`); undefined if a workgroup has too few threads to keep all. In float32, room for
 * twice as many words would let a workgroup keep no larger layer.
 */
function heldShares(units: number, G: number, form: SharedForm): { readonly held: number; readonly shares: number } | undefined {
  const words = weightWords(G, form);
  const room = form.half && isSmall(form) ? 2 * heldWords : heldWords;
  for (let held = form.half ? 32 : 16; held <= Math.min(mostHeldUnits, room / words); held *= 2) {
    const shares = Math.ceil(units / held);
    const threads = held * words > heldWords ? Math.min(fewThreads, form.shared) : form.shared;
    if (threadsFor(units) * shares <= threads) return { held, shares };
  }
  return undefined;
}

/** Whether the threads of a loop with shared sums keep all weights, and read none after the first step. */
export const holdsWeights = (units: number, G: number, form: SharedForm): boolean => heldShares(units, G, form) !== undefined;

/**
 * So many workgroups of a loop are enough for a GPU. A batch of more rows has several in a workgroup. Where a workgroup has
 * few threads, the GPU is probably small, and half as many are enough.
 */
const enoughGroups = 32;

/**
 * A workgroup whose threads share sums over k. The threads of a unit are its shares: as many as keep all weights in
 * registers, if the device allows so many, else as many as fit.
 */
export function sharedGroup(units: number, batch: number, G: number, form: SharedForm) {
  const wide = threadsFor(units);
  const keeping = heldShares(units, G, form);
  const holds = keeping !== undefined;
  const shares = keeping?.shares ?? Math.max(1, Math.min(8, Math.floor(form.shared / wide)));
  // In every step, a workgroup reads all weights, unless its threads hold them.
  const groups = enoughGroups / (holds ? 1 : 2) / (isSmall(form) ? 2 : 1);
  // Each row has a share that finishes it. Threads that keep halves have no registers for four rows where 512 of them have 128 each.
  const finishing = holds && form.half && isSmall(form) ? Math.min(2, shares) : shares;
  const rows = ([1, 2, 4] as const).find((n) => n * groups >= batch || 2 * n > finishing) ?? 4;
  // The units that shares hold may reach past the last one.
  const tileLength = Math.max(wide, keeping ? shares * keeping.held : 0) / 8;
  const constants = { units: wide, shares, threads: wide * shares, tileLength, ...(keeping ? { heldEights: keeping.held / 8 } : {}) };
  return { size: `${wide}x${shares}x${rows}${holds ? ":held" : ""}`, holds, rows, constants };
}

/** Name and pipeline constants: a pipeline per number of threads and of rows. */
export function loopVariant(cell: Cell, pass: RecurrentParts["pass"], units: number, batch: number, form: KernelForm) {
  const { size, holds, rows, constants } = sharesSums(form)
    ? sharedGroup(units, batch, cell.gateNames.length, form)
    : plainGroup(pass, units, batch);
  return {
    name: `loop-${pass}${form.shared ? "-shared" : ""}:${cell.name}:${size}${formName(form)}`,
    recurrent: { cell, strategy: "loop", pass, form } as const,
    sources: cellSources(cell, "loop", pass, form, { rows, holds }),
    constants: { ...constantsOf(cell, form), ...constants },
    workgroups: groupsOf(rows),
  };
}

export const loopForward = (cell: Cell, units: number, batch: number, form: KernelForm = {}) =>
  defineKernel({
    ...loopVariant(cell, "forward", units, batch, form),
    bindings: withWeights(forwardBindings, form),
    params: segmentParams,
  });
