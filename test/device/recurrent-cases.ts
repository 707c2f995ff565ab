// What the kernels of one recurrent step are tried on.
import type { Kernel } from "../../src/kernels/kernel.ts";
import type { NumericArray } from "../../src/tensor/tensor.ts";
import { cells, twoPhaseCells } from "../../src/kernels/registry.ts";
import { floats, integers, spare, type KernelCase } from "./kernel-cases.ts";

/** Steps, rows and units around a thread's four rows and a workgroup's 64 units. */
const sizes = [[1, 1, 1], [2, 3, 17], [3, 4, 64], [2, 5, 65], [3, 9, 7]] as const;

/** One kernel of a layer with G gates a unit, at its second step (its first, if there is only one), in both directions. */
function layerCases(kernel: Kernel, G: number): KernelCase[] {
  return sizes.flatMap(([T, B, H]) => [false, true].map((reverse): KernelCase => {
    const t = T > 1 ? 1 : 0;
    const hBase = reverse ? 0 : 13;
    const slots = reverse ? { previousSlot: t + 1, currentSlot: t } : { previousSlot: t, currentSlot: t + 1 };
    const nextT = reverse ? t - 1 : t + 1;
    const hasNext = nextT >= 0 && nextT < T ? 1 : 0;
    const states = (T + 1) * B * H;
    const all: Record<string, NumericArray> = {
      gates: floats(T * B * H * G + spare * G, 0, 1), weights: floats(H * H * G, -0.3, 0.3), bias: floats(H * G),
      h: floats(hBase + states), c: floats(states), dy: floats(T * B * H), carry: floats((B * H + spare) * 2),
      // The first row ends before this step.
      dRecurrent: floats(T * B * H * G), lengths: integers(B, T).map((n, row) => (row === 0 && B > 1 ? t : Math.max(n, t + 1))),
    };
    const arrays = Object.fromEntries(Object.keys(kernel.bindings).map((name) => [name, all[name]]));
    const params: Record<string, number> = { B, H, t, ...slots, hBase };
    if ("nextT" in kernel.params) Object.assign(params, { nextT: hasNext ? nextT : 0, hasNext, tail: 0 });
    return { note: reverse ? "reverse" : "forward", params, arrays };
  }));
}

/** The product that remains behind the first step. */
function tailOf({ params, arrays }: KernelCase): KernelCase {
  return { note: "tail", params: { ...params, nextT: params.t, hasNext: 1, tail: 1 }, arrays };
}

export function stepCases(kernel: Kernel): KernelCase[] {
  const cell = cells.find(({ name }) => kernel.name.endsWith(`:${name}`))!;
  const cases = layerCases(kernel, cell.gateNames.length);
  return "tail" in kernel.params ? [...cases, tailOf(cases[2])] : cases;
}

export function twoPhaseCases(kernel: Kernel): KernelCase[] {
  const cell = twoPhaseCells.find(({ name }) => kernel.name.includes(`:${name}:`))!;
  const cases = layerCases(kernel, cell.gateNames.length);
  return kernel.name.endsWith("backward:" + cell.name + ":first") ? [...cases, tailOf(cases[2])] : cases;
}

/** Whole sequences, with rows that end early, for as many units as the kernel's workgroup has threads, and fewer. */
export function loopCases(kernel: Kernel): KernelCase[] {
  const [, name, size] = kernel.name.split(":");
  const G = [...cells, ...twoPhaseCells].find((cell) => cell.name === name)!.gateNames.length;
  const most = Number(size.split("x")[0]);
  const tails = "tail" in kernel.params ? [0, 1] : [0];
  return ([[1, 1, 1], [2, 4, 7], [5, 5, most - 1], [3, 9, most]] as const).flatMap(([T, B, H]) => [0, 1].flatMap((reverse) => tails.map((tail): KernelCase => {
    const hBase = reverse ? 0 : 13;
    const states = (T + 1) * B * H;
    const all: Record<string, NumericArray> = {
      gates: floats(T * B * H * G + spare * G, 0, 1), weights: floats(H * H * G, -0.1, 0.1), bias: floats(H * G),
      h: floats(hBase + states), c: floats(states), dy: floats(T * B * H), carry: floats((B * H + spare) * 2),
      dRecurrent: floats(T * B * H * G), lengths: integers(B, T + 1),
    };
    const arrays = Object.fromEntries(Object.keys(kernel.bindings).map((binding) => [binding, all[binding]]));
    return { note: reverse ? "reverse" : "forward", params: { T, B, H, reverse, hBase, ...("tail" in kernel.params ? { tail } : {}) }, arrays };
  })));
}
