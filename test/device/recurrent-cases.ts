// What the kernels of one recurrent step are tried on.
import type { Kernel } from "../../src/kernels/kernel.ts";
import type { NumericArray } from "../../src/tensor/tensor.ts";
import { halfLength, toHalf } from "../../src/kernels/half-storage.ts";
import { hSize, laneStart, stepAt, type Segment } from "../../src/kernels/recurrent-lanes.ts";
import { cells, twoPhaseCells } from "../../src/kernels/registry.ts";
import { floats, integers, spare, type KernelCase } from "./kernel-cases.ts";

/** Steps, rows and units around a thread's four rows and a workgroup's 64 units. */
const sizes = [[1, 1, 1], [2, 3, 17], [3, 4, 64], [2, 5, 65], [4, 9, 7]] as const;

/** Lanes that go forwards, in reverse, and both ways over the whole sequence; and both ways over a part of it. */
const lanesOf = (T: number) => [
  { note: "forwards", lanes: 1, reverse: 0, first: 0, steps: T }, { note: "in reverse", lanes: 1, reverse: 1, first: 0, steps: T },
  { note: "both ways", lanes: 2, reverse: 2, first: 0, steps: T },
  ...(T > 2 ? [{ note: "a part, both ways", lanes: 2, reverse: 2, first: 1, steps: T - 2 }] : []),
];

/** A part of a layer for this kernel, with G gates a unit and rows of any length. */
function layer(kernel: Kernel, G: number, segment: Segment, lengths: Uint32Array): Record<string, NumericArray> {
  const { lanes, T, B, H, steps } = segment;
  const all: Record<string, NumericArray> = {
    gates: floats((laneStart(lanes, steps * B * H) + spare) * G, 0, 1), weights: floats(laneStart(2 * lanes - 1, (H + 1) * H) * G, -0.3, 0.3).map((w) => w * Math.min(1, 8 / H)),
    h: floats(laneStart(lanes, hSize(segment)) + spare), c: floats(laneStart(lanes, (T + 1) * B * H) + spare),
    dy: floats(laneStart(lanes, T * B * H)), carry: floats((laneStart(lanes, B * H) + spare) * 2),
    dRecurrent: floats((laneStart(lanes, steps * B * H) + spare) * G), lengths,
  };
  if (kernel.bindings.weights.type === "u32") {
    const words = new Uint32Array(halfLength(all.weights.length, G));
    toHalf.twin({ x: all.weights, y: words }, { length: all.weights.length, width: G });
    all.weights = words;
  }
  return Object.fromEntries(Object.keys(kernel.bindings).map((name) => [name, all[name]]));
}

/** One step of a segment: its second, or its first if there is only one. */
function layerCases(kernel: Kernel, G: number): KernelCase[] {
  return sizes.flatMap(([T, B, H]) => lanesOf(T).map(({ note, ...part }): KernelCase => {
    const segment = { ...part, T, B, H, hBase: 13 };
    const i = segment.steps > 1 ? 1 : 0;
    const { t } = stepAt(segment, 0, i);
    // The first row ends before this step.
    const lengths = integers(B, T).map((n, row) => (row === 0 && B > 1 ? t : Math.max(n, t + 1)));
    return { note, params: { ...segment, i, ...("tail" in kernel.params ? { tail: 0 } : {}) }, arrays: layer(kernel, G, segment, lengths) };
  }));
}

/** The product that remains behind the first step. */
function tailOf({ params, arrays }: KernelCase): KernelCase {
  return { note: "tail", params: { ...params, i: 0, tail: 1 }, arrays };
}

/** Three layers, of which not all have a step to compute at the ends of the sequence. */
function stackedCases(kernel: Kernel, G: number): KernelCase[] {
  return sizes.flatMap(([T, B, H]) => [0, 1, T + 1].map((i): KernelCase => {
    const segment = { lanes: 3, T, B, H, reverse: 0, hBase: 13, first: 0, steps: T };
    return { note: "stacked", params: { ...segment, i, ...("tail" in kernel.params ? { tail: 0 } : {}) }, arrays: layer(kernel, G, segment, integers(B, T + 1)) };
  }));
}

export function stepCases(kernel: Kernel): KernelCase[] {
  const [, name, ...form] = kernel.name.split(":");
  const cell = cells.find((one) => one.name === name)!;
  if (form.includes("stacked")) {
    const cases = stackedCases(kernel, cell.gateNames.length);
    return "tail" in kernel.params ? [...cases, tailOf(cases[4])] : cases;
  }
  const cases = layerCases(kernel, cell.gateNames.length);
  return "tail" in kernel.params ? [...cases, ...cases.slice(3, 6).map(tailOf)] : cases;
}

export function twoPhaseCases(kernel: Kernel): KernelCase[] {
  const cell = twoPhaseCells.find(({ name }) => kernel.name.includes(`:${name}:`))!;
  const cases = layerCases(kernel, cell.gateNames.length);
  return kernel.name.includes("backward:" + cell.name + ":first") ? [...cases, ...cases.slice(3, 6).map(tailOf)] : cases;
}

/** Whole sequences and parts, with rows that end early, for as many units as the kernel's workgroup has threads, and fewer. */
export function loopCases(kernel: Kernel): KernelCase[] {
  const [, name, size] = kernel.name.split(":");
  const G = [...cells, ...twoPhaseCells].find((cell) => cell.name === name)!.gateNames.length;
  const most = Number(size.split("x")[0]);
  const tails = "tail" in kernel.params ? [0, 1] : [0];
  const shapes = most > 128 ? [[2, 5, most - 1], [3, 4, most]] : [[1, 1, 1], [2, 4, 7], [5, 5, most - 1], [3, 9, most]];
  return shapes.flatMap(([T, B, H]) => lanesOf(T).filter(({ lanes }) => lanes === 2 || most <= 128).flatMap(({ note, ...part }) => tails.map((tail): KernelCase => {
    const segment = { ...part, T, B, H, hBase: 13 };
    return { note, params: { ...segment, ...("tail" in kernel.params ? { tail } : {}) }, arrays: layer(kernel, G, segment, integers(B, T + 1)) };
  })));
}
