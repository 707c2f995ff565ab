import type { Cell } from "../cells/cell.ts";
import { defineKernel } from "../../kernels/kernel.ts";

/**
 * dOwn (+)= Σ_rows dGates⊙c, the gradient of the units' own parameters. Gates with a bit in `before` see c_{t-1}, gates
 * with a bit in `after` see c_t, the others see nothing.
 */
export const perUnitGradient = defineKernel({
  name: "per-unit-gradient",
  bindings: {
    dGates: { access: "read", type: "f32", shape: "[rows, H, G]" },
    c: { access: "read", type: "f32", shape: "[rows, H] at cPrevious and at cCurrent" },
    dOwn: { access: "read_write", type: "f32", shape: "[H, G]" },
  },
  params: { rows: "u32", H: "u32", G: "u32", cPrevious: "u32", cCurrent: "u32", before: "u32", after: "u32", accumulate: "u32" },
  workgroups: ({ H, G }) => [Math.ceil((H * G) / 16), 1, 1],
});

/** Derives params from the cell. */
export function gatesSeeing({ gateNames, perUnit }: Pick<Cell, "gateNames" | "perUnit">): { G: number; before: number; after: number } {
  const bits = (when: "before" | "after"): number =>
    gateNames.reduce((sum, gate, g) => sum | (perUnit?.sees[gate] === when ? 1 << g : 0), 0);
  return { G: gateNames.length, before: bits("before"), after: bits("after") };
}
