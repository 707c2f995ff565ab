/**
 * The whole time loop of a recurrent layer in one dispatch, for at most `mostLoopUnits` units:
 * a workgroup owns four rows of the batch (or one), a thread one unit. The twins run the twins of one step T times, which is
 * what these kernels must equal. Letters, slots and bindings are those of `recurrent-step.ts`.
 */
import type { Cell } from "./cells/cell.ts";
import { defineKernel, type Workgroups } from "./kernel.ts";
import type { TwoPhaseCell } from "./cells/two-phase-cell.ts";
import { backwardBindings, cellSources, forwardBindings, stepBackward, stepForward, walk, walkBack } from "./recurrent-step.ts";
import { twoPhaseBackward, twoPhaseBackwardBindings, twoPhaseForward, twoPhaseForwardBindings, twoPhaseSources } from "./recurrent-two-phase.ts";

/** Units that one workgroup can hold: WebGPU guarantees 256 invocations. */
export const mostLoopUnits = 256;

/** Rows of the batch per workgroup: four share each weight that is loaded, a batch of one has nothing to share. */
const rowsFor = (batch: number): 1 | 4 => (batch === 1 ? 1 : 4);
const groupsOf = (rows: number) => ({ B }: { B: number }): Workgroups => [Math.ceil(B / rows), 1, 1];

/** Threads of a workgroup: one per unit, in whole subgroups. */
const threadsFor = (units: number): number => Math.ceil(units / 32) * 32;

const params = { T: "u32", B: "u32", H: "u32", reverse: "u32", hBase: "u32" } as const;

/** Name and pipeline constants: a pipeline per number of threads and of rows. */
const variant = (cell: Cell, strategy: string, units: number, batch: number) => ({
  name: `${strategy}:${cell.name}:${threadsFor(units)}x${rowsFor(batch)}`,
  sources: cellSources(cell, strategy),
  constants: { ...cell.constants, threads: threadsFor(units), rows: rowsFor(batch) },
  workgroups: groupsOf(rowsFor(batch)),
});

export const loopForward = (cell: Cell, units: number, batch: number) => {
  const step = stepForward(cell);
  return defineKernel({
    ...variant(cell, "loop-forward", units, batch),
    bindings: forwardBindings,
    params,
    twin(arrays, { T, B, H, reverse, hBase }) {
      for (const slots of walk(T, reverse === 1)) step.twin(arrays, { B, H, hBase, ...slots });
    },
  });
};

/** With `tail` 1 the loop ends with the product that leaves ∂L/∂h_0 and ∂L/∂c_0 in `carry`. */
export const loopBackward = (cell: Cell, units: number, batch: number) => {
  const step = stepBackward(cell);
  return defineKernel({
    ...variant(cell, "loop-backward", units, batch),
    bindings: backwardBindings,
    params: { ...params, tail: "u32" },
    twin(arrays, { T, B, H, reverse, hBase, tail }) {
      for (const slots of walkBack(T, reverse === 1, tail === 1)) step.twin(arrays, { B, H, hBase, ...slots });
    },
  });
};

/** Name and pipeline constants of a two-phase loop. */
const twoPhaseVariant = (cell: TwoPhaseCell, strategy: string, units: number) => ({
  name: `${strategy}:${cell.name}:${threadsFor(units)}x4`,
  sources: twoPhaseSources(cell, strategy),
  constants: { ...cell.constants, threads: threadsFor(units) },
  workgroups: groupsOf(4),
});

/** The same for cells whose candidate needs a product of its own; the twins run those of `recurrent-two-phase.ts`. */
export const loopTwoPhaseForward = (cell: TwoPhaseCell, units: number) => {
  const phases = [twoPhaseForward(cell, 0), twoPhaseForward(cell, 1)];
  return defineKernel({
    ...twoPhaseVariant(cell, "loop-two-phase-forward", units),
    bindings: twoPhaseForwardBindings,
    params,
    twin(arrays, { T, B, H, reverse, hBase }) {
      for (const slots of walk(T, reverse === 1)) for (const phase of phases) phase.twin(arrays, { B, H, hBase, ...slots });
    },
  });
};

export const loopTwoPhaseBackward = (cell: TwoPhaseCell, units: number) => {
  const phases = [twoPhaseBackward(cell, 0), twoPhaseBackward(cell, 1)];
  return defineKernel({
    ...twoPhaseVariant(cell, "loop-two-phase-backward", units),
    bindings: twoPhaseBackwardBindings,
    params: { ...params, tail: "u32" },
    twin(arrays, { T, B, H, reverse, hBase, tail }) {
      for (const step of walkBack(T, reverse === 1, tail === 1)) {
        phases[0].twin(arrays, { B, H, hBase, ...step });
        if (!step.tail) phases[1].twin(arrays, { B, H, hBase, ...step });
      }
    },
  });
};
