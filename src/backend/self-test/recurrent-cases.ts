/** The cases of recurrent kernels. They use the kernel's own cell, so a user's cell has cases too. */
import type { Kernel } from "../../kernels/kernel.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import { halfLength, toHalf } from "../../kernels/half-storage.ts";
import { functionsSource } from "../../recurrent/cells/gate-functions.ts";
import { memoryNumbers, runningRows } from "../../recurrent/cells/memory.ts";
import { hSize, laneStart, lengthsOfMask, type Segment } from "../../recurrent/kernels/lanes.ts";
import { hasStep } from "../../recurrent/kernels/lanes.twin.ts";
import { weightWidth } from "../../recurrent/kernels/recurrent-kernel.ts";
import { stepAt } from "../../recurrent/kernels/step-places.ts";
import { carryParts, extraRows, regularizedLayout, statisticsModes } from "../../recurrent/kernels/regularized-layout.ts";
import { align } from "../../kernels/kernel.ts";
import { twinOf } from "../all-twins.ts";
import { floats, integers, spare, whenAsked, type KernelCase } from "./case-values.ts";

/** Steps, rows and units around a thread's four rows and a workgroup's 64 units. */
const sizes = [
  [1, 1, 1],
  [2, 3, 17],
  [3, 4, 64],
  [2, 5, 65],
  [4, 9, 7],
] as const;

/** Lanes that go forwards, backwards and both ways over the whole sequence, and both ways over a part of it. */
const lanesOf = (T: number) => [
  { note: "forwards", lanes: 1, reverse: 0, first: 0, steps: T },
  { note: "in reverse", lanes: 1, reverse: 1, first: 0, steps: T },
  { note: "both ways", lanes: 2, reverse: 2, first: 0, steps: T },
  ...(T > 2 ? [{ note: "a part, both ways", lanes: 2, reverse: 2, first: 1, steps: T - 2 }] : []),
];

const hasGaps = ({ recurrent }: Kernel): boolean => (recurrent!.form.gaps ?? recurrent!.regularized?.gaps) === true;

/** Whether gates of the cases may be below 0, as only chosen functions of gates need. */
const hasChosen = ({ recurrent }: Kernel): boolean => functionsSource(recurrent!.cell).includes("lib/chosen-functions");

/** The buffers of a layer for this kernel, with G gates a unit and rows of any length. */
function layer(kernel: Kernel, G: number, segment: Segment, lengths: Uint32Array): Record<string, NumericArray> {
  const { lanes, T, B, H, steps } = segment;
  const { cell, strategy, form } = kernel.recurrent!;
  const memories = memoryNumbers(cell);
  const width = weightWidth(G, form);
  const all: Record<string, NumericArray> = {
    gates: floats((laneStart(lanes, steps * B * H) + spare) * G, hasChosen(kernel) ? -1 : 0, 1),
    weights: floats(laneStart(2 * lanes - 1, (H + 2) * H) * width, -0.3, 0.3).map((w) => w * Math.min(1, 8 / H)),
    h: floats(laneStart(lanes, hSize(segment)) + spare),
    // A cell with several memories may divide by one of them.
    c: floats(laneStart(lanes, (T + 1) * B * H * memories) + spare, ...(memories > 1 ? [0.3, 1.5] : [])),
    dy: floats(laneStart(lanes, T * B * H)),
    carry: floats((laneStart(lanes, B * H) + spare) * (memories + 1)),
    dRecurrent: floats((laneStart(lanes, steps * B * H) + spare) * G),
    lengths,
  };
  // The carry of a layer without c begins with zeros in the place of dc: kernels may differ in what they make of other numbers there.
  if (cell.recurrence === "none" && strategy !== "scan") all.carry.forEach((_, i) => i % 2 === 1 && (all.carry[i] = 0));
  if (!hasGaps(kernel)) {
    for (let lane = 0; lane < lanes; lane++)
      for (let t = 0; t < T; t++)
        for (let row = 0; row < B; row++) {
          const at = laneStart(lane, T * B * H) + (t * B + row) * H;
          if (!hasStep(lengths, row, t)) all.dy.fill(0, at, at + H);
        }
  }
  if (kernel.bindings.weights?.type === "u32") {
    const words = new Uint32Array(halfLength(all.weights.length, width));
    twinOf(toHalf)({ x: all.weights, y: words }, { length: all.weights.length, width });
    all.weights = words;
  }
  return Object.fromEntries(Object.keys(kernel.bindings).map((name) => [name, all[name]]));
}

/** A case of a layer for this kernel; its buffers are made when they are asked for. */
function layerCase(note: string, params: KernelCase["params"] & Segment, kernel: Kernel, lengths: Uint32Array): KernelCase {
  const arrays = whenAsked(7, () => layer(kernel, gatesOf(kernel), params, lengths));
  return {
    note,
    params,
    get arrays() {
      return arrays();
    },
  };
}

/**
 * The buffer `lengths` for rows of these lengths. For a kernel that knows gaps, a random mask of T steps, in which a row
 * has step t only if it is longer than t.
 */
function rowsOf(lengths: Uint32Array, T: number, t: number, kernel: Kernel): Uint32Array {
  if (!hasGaps(kernel)) return lengths;
  const B = lengths.length;
  const mask = integers(T * B, 1).map((bit, i) => (Math.floor(i / B) === t ? (t < lengths[i % B] ? 1 : 0) : bit));
  return lengthsOfMask({ shape: [T, B], data: mask });
}

/** The most units, up to this many, that the kernel's heads divide evenly. */
const unitsFor = ({ recurrent }: Kernel, units: number): number => {
  const { heads = 1 } = recurrent!.form;
  return Math.max(heads, units - (units % heads));
};

/** One step of a segment: its second, or its first if there is only one. */
function layerCases(kernel: Kernel): KernelCase[] {
  return sizes.flatMap(([T, B, units]) =>
    lanesOf(T).map(({ note, ...part }): KernelCase => {
      const segment = { ...part, T, B, H: unitsFor(kernel, units), hBase: 13 };
      const i = segment.steps > 1 ? 1 : 0;
      const { t } = stepAt(segment, 0, i);
      // The first row ends before this step.
      const lengths = integers(B, T).map((steps, row) => (row === 0 && B > 1 ? t : Math.max(steps, t + 1)));
      const params = { ...segment, i, ...("tail" in kernel.params ? { tail: 0 } : {}) };
      return layerCase(note, params, kernel, rowsOf(lengths, T, t, kernel));
    }),
  );
}

/** The product that carries the gradient past the first step, to the state before it. */
function tailOf(one: KernelCase): KernelCase {
  return {
    note: "tail",
    params: { ...one.params, i: 0, tail: 1 },
    get arrays() {
      return one.arrays;
    },
  };
}

/** Three stacked layers. At the ends of the sequence, some have no step to compute. */
function stackedCases(kernel: Kernel): KernelCase[] {
  return sizes.flatMap(([T, B, units]) =>
    [0, 1, T + 1].map((i): KernelCase => {
      const segment = { lanes: 3, T, B, H: unitsFor(kernel, units), reverse: 0, hBase: 13, first: 0, steps: T };
      const params = { ...segment, i, ...("tail" in kernel.params ? { tail: 0 } : {}) };
      return layerCase("stacked", params, kernel, rowsOf(integers(B, T + 1), T, 0, kernel));
    }),
  );
}

const gatesOf = ({ recurrent }: Kernel): number => recurrent!.cell.gateNames.length;

function stepCases(kernel: Kernel): KernelCase[] {
  const { form, phase } = kernel.recurrent!;
  const hasTail = "tail" in kernel.params && phase !== 1;
  const cases = form.stacked ? stackedCases(kernel) : layerCases(kernel);
  return hasTail ? [...cases, ...(form.stacked ? [cases[4]] : cases.slice(3, 6)).map(tailOf)] : cases;
}

/**
 * Steps, rows and units of whole sequences. Where a workgroup holds the layer, as many units as it has threads, and
 * fewer. Else steps around the 32 parts of a scan and columns around its 8.
 */
const sequenceSizes = (most: number | undefined): readonly (readonly [T: number, B: number, H: number])[] =>
  most === undefined
    ? [
        [1, 1, 1],
        [31, 3, 5],
        [33, 1, 8],
        [70, 2, 17],
      ]
    : most > 128
      ? [
          [2, 5, most - 1],
          [3, 4, most],
        ]
      : [
          [1, 1, 1],
          [2, 4, 7],
          [5, 5, most - 1],
          [3, 9, most],
        ];

/** The most units that a loop's workgroup can hold; undefined for kernels that hold none. */
function mostUnitsOf({ constants, sources }: Kernel): number | undefined {
  const { threads, units = threads, shares, heldEights } = constants ?? {};
  return sources.includes("lib/weights-held") ? Math.min(units, shares * heldEights * 8) : units;
}

/** Whole sequences and parts, with rows that end early. */
function sequenceCases(kernel: Kernel): KernelCase[] {
  const most = mostUnitsOf(kernel);
  const tails = "tail" in kernel.params ? [{ tail: 0 }, { tail: 1 }] : [{}];
  return sequenceSizes(most).flatMap(([T, B, units]) =>
    lanesOf(T)
      .filter(({ lanes }) => lanes === 2 || most === undefined || most <= 128)
      .flatMap(({ note, ...part }) =>
        tails.map((tail): KernelCase => {
          const segment = { ...part, T, B, H: unitsFor(kernel, units), hBase: 13 };
          const lengths = rowsOf(integers(B, T + 1), T, 0, kernel);
          return layerCase(note, { ...segment, ...tail }, kernel, lengths);
        }),
      ),
  );
}

/** Steps of a regularized layer, for each kind of statistics of its form, with rows that end early. */
function regularizedCases(kernel: Kernel): KernelCase[] {
  const { cell, pass, regularized } = kernel.recurrent!;
  const { normalization, fused, zones } = regularized!;
  // More units than half the threads.
  const { workers } = kernel.constants!;
  const most = workers > 32 ? workers / 2 + 1 : workers - 1;
  const backward = pass === "backward";
  // Running statistics exist for one lane at a time.
  const modesOf = (lanes: number): number[] =>
    normalization !== "batch"
      ? [statisticsModes.batch]
      : lanes > 1
        ? [statisticsModes.batch, statisticsModes.running]
        : Object.values(statisticsModes);
  return (
    [
      [3, 4, 7],
      [3, 9, most],
      [2, 1, 5],
    ] as const
  ).flatMap(([T, B, H], n) =>
    lanesOf(T)
      .slice(n, 4)
      .flatMap(({ note, ...part }, k): KernelCase[] => {
        const segment = { ...part, T, B, H, hBase: 13 };
        const [G, lanes, form] = [cell.gateNames.length, part.lanes, { normalization }];
        const lengths = integers(B, T).map((length, row) => (row === 0 ? T : length));
        const modes = modesOf(lanes);
        const { size } = regularizedLayout(segment, G, form);
        const rows = H + extraRows(cell, form);
        // A gate without parameters is not normalised with others: its scale of 1/√ε would magnify rounding errors of
        // the product.
        const hasWeights = cell.gateNames.map((gate) => (cell.parameterGates ?? cell.gateNames).includes(gate));
        const arrays: Record<string, NumericArray> = {
          ...layer(kernel, G, segment, rowsOf(lengths, T, T - 1, kernel)),
          weights: floats(laneStart(lanes, rows * H) * G, -0.4, 0.6).map((v, n) => (hasWeights[n % G] ? v : 0)),
          recurrent: floats(lanes * size + spare, backward ? 0.3 : -1, 1.5),
          masked: floats(laneStart(lanes, hSize(segment)) + spare),
          carry: floats(lanes * carryParts(G, form).count * align(B * H) + spare),
          running: floats(2 * runningRows(cell) * H + spare, 0.2, 1.2),
          random: integers(4, 1e9),
        };
        const walk = fused ? { i: 0, count: segment.steps } : { i: segment.steps - 1, count: 1 };
        const params = {
          ...segment,
          ...walk,
          tail: 0,
          stream: 3,
          draws: k % 2,
          zoneH: 0.3,
          zoneC: 0.2,
          dropP: 0.4,
          epsilon: 1e-5,
          statistics: modes[k % modes.length],
          momentum: 0.1,
          keptSteps: 2,
        };
        if (!zones) Object.assign(params, { zoneH: 0, zoneC: 0 });
        const bound = Object.fromEntries(Object.keys(kernel.bindings).map((binding) => [binding, arrays[binding]]));
        const cases = [{ note, params, arrays: bound }];
        return backward
          ? [...cases, { note: "tail", params: { ...params, ...(fused ? {} : { i: 0, count: 0 }), tail: 1 }, arrays: bound }]
          : cases;
      }),
  );
}

/** The cases of a recurrent kernel, whatever its strategy: they follow from its contract. */
export function recurrentCases(kernel: Kernel): KernelCase[] {
  if (kernel.recurrent!.regularized) return regularizedCases(kernel);
  return "i" in kernel.params ? stepCases(kernel) : sequenceCases(kernel);
}
