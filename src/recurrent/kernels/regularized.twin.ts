/** The twins of regularized.ts, a lane and a step at a time. */
import type { Cell } from "../cells/cell.ts";
import { gru, gruCell } from "../cells/gru.ts";
import { lstm, lstmCell } from "../cells/lstm.ts";
import { runningRows } from "../cells/memory.ts";
import { rnnTanh } from "../cells/rnn.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import type { Gates } from "../cells/arithmetic.ts";
import { align } from "../../kernels/kernel.ts";
import { stepAt, type StepPlaces } from "./step-places.ts";
import { regularizedBackward, regularizedForward } from "./regularized.ts";
import { LaneSteps } from "./regularized-lane.ts";
import { carryParts, normalized, normalizesMemory, statisticsModes, type RegularizedForm } from "./regularized-layout.ts";
import { recurrentTwins, type KernelFamily } from "../../kernels/twin.ts";

type Named<N extends string> = Readonly<Record<N, NumericArray>>;
export type ForwardArrays = Named<"gates" | "weights" | "h" | "c" | "lengths" | "recurrent" | "masked" | "running" | "random">;
export type BackwardArrays = Named<"gates" | "weights" | "h" | "c" | "dy" | "carry" | "recurrent" | "lengths" | "random">;

export function forwardStep(lane: LaneSteps, arrays: ForwardArrays, i: number): void {
  const { p, G, form } = lane;
  const { h, masked, recurrent } = arrays;
  const step = stepAt(p, lane.lane, i);
  const r = lane.side("r", step);
  if (form.fused) {
    const operand = form.drops ? masked : h;
    for (let at = 0; at < p.B * p.H; at++) {
      const from = step.hPrevious + Math.floor(at / p.H) * p.H;
      for (let g = 0; g < G; g++) {
        let sum = 0;
        for (let k = 0; k < p.H; k++) sum += operand[from + k] * lane.weight(k, at % p.H, g);
        recurrent[r + at * G + g] = sum;
      }
    }
  }
  lane.groups().forEach((elements, group) => forwardGroup(lane, arrays, { i, step, group, elements }));
}

interface Group {
  /** Step of the segment. */
  readonly i: number;
  readonly step: StepPlaces;
  readonly group: number;
  /** row · H + unit of each. */
  readonly elements: readonly number[];
}

function forwardGroup(lane: LaneSteps, arrays: ForwardArrays, of: Group): void {
  const { cell, form, p, G } = lane;
  const { step, elements } = of;
  const { gates, h, c, recurrent } = arrays;
  const members = elements.filter((at) => lane.alive(step, at));
  const [x, r] = [lane.side("x", step), lane.side("r", step)];
  const finish = (at: number, state: number, remains: number): void => {
    h[step.hCurrent + at] = (1 - remains) * state + remains * h[step.hPrevious + at];
    if (form.drops) arrays.masked[step.hCurrent + at] = h[step.hCurrent + at] * lane.dropFactor(at);
  };
  if (normalized(form)) {
    const sides = [
      { first: 0, value: (at: number, g: number) => gates[(step.gates + at) * G + g], to: x },
      { first: 2, value: (at: number, g: number) => recurrent[r + at * G + g], to: r },
    ];
    for (const { first, value, to } of sides) {
      const found = members.map((at) => lane.gatesOf((g) => value(at, g)));
      const { mean, scale } = statisticsOf(lane, arrays, of, members, value, first * G);
      for (let g = 0; g < 4; g++) recurrent[lane.statistics(step, of.group) + first * 2 + g] = g < G ? scale[g] : 1 / Math.sqrt(p.epsilon);
      members.forEach((at, n) => found[n].forEach((v, g) => (recurrent[to + at * G + g] = (v - mean[g]) * scale[g])));
    }
  }
  for (const at of elements) {
    const cPrevious = cell.usesC ? c[step.cPrevious + at] : 0;
    if (!lane.alive(step, at)) {
      if (cell.usesC) c[step.cCurrent + at] = cPrevious;
      finish(at, h[step.hPrevious + at], 0);
      continue;
    }
    const saved = (step.gates + at) * G;
    const side = (from: NumericArray, start: number, factor: Gates | undefined, bias: Gates | undefined): number[] =>
      lane.gatesOf((g) => from[start + g] * (factor?.[g] ?? 1) + (bias?.[g] ?? 0));
    const [xs, rs] = normalized(form)
      ? [side(recurrent, x + at * G, lane.gain(0, at), lane.gain(1, at)), side(recurrent, r + at * G, lane.gain(2, at), lane.row(0, at))]
      : [side(gates, saved, undefined, undefined), side(recurrent, r + at * G, undefined, lane.row(0, at))];
    const out = lane.arithmetic.forward(xs, rs, h[step.hPrevious + at], cPrevious, lane.perUnit(at));
    out.gates.forEach((v, g) => (gates[saved + g] = v));
    const remains = lane.remains(step, at);
    if (cell.usesC) c[step.cCurrent + at] = cell.states.length > 0 ? (1 - remains.c) * out.c + remains.c * cPrevious : out.c;
    if (!normalizesMemory(cell, form)) finish(at, out.h, remains.h);
  }
  if (!normalizesMemory(cell, form)) return;
  const gatesAt = (at: number): Gates => Array.from(gates.subarray((step.gates + at) * G, (step.gates + at + 1) * G));
  const memory = (at: number): number => lane.arithmetic.stateOf!(gatesAt(at), 0, c[step.cPrevious + at]).c;
  const { mean, scale } = statisticsOf(lane, arrays, of, members, (at, g) => (g === 0 ? memory(at) : 0), 4 * G, 1);
  recurrent.set([mean[0], scale[0]], lane.statistics(step, of.group) + 8);
  for (const at of members) {
    const [gain, bias] = lane.gain(3, at);
    finish(at, lane.arithmetic.readOut!.forward(gatesAt(at), (memory(at) - mean[0]) * scale[0] * gain + bias), lane.remains(step, at).h);
  }
}

/**
 * Mean and 1 / √(variance + ε) of `width` kinds of values: over the members of a group, or from rows `first` and `first
 * + width` of the running statistics.
 */
function statisticsOf(
  lane: LaneSteps,
  { running }: ForwardArrays,
  { i, group }: Group,
  members: readonly number[],
  value: (at: number, g: number) => number,
  first: number,
  width = lane.G,
) {
  const { p, cell } = lane;
  const n = members.length;
  // The memory is one number per unit, so gates do not group its mean.
  const meanOf = (of: (at: number, g: number) => number): number[] =>
    width === lane.G ? lane.mean(members, of) : [members.reduce((sum, at) => sum + of(at, 0), 0) / Math.max(n, 1)];
  let mean = meanOf(value);
  let variance = meanOf((at, g) => (value(at, g) - mean[g]) ** 2);
  const place = (row: number): number => (Math.min(p.first + i, p.keptSteps - 1) * runningRows(cell) + row) * p.H + group;
  if (p.statistics === statisticsModes.kept && n > 1) {
    const keep = (row: number, v: number): void => {
      if (Number.isFinite(v)) running[place(row)] += p.momentum * (v - running[place(row)]);
    };
    mean.forEach((v, g) => keep(first + g, v));
    variance.forEach((v, g) => keep(first + width + g, (v * n) / (n - 1)));
  }
  if (p.statistics === statisticsModes.running) {
    mean = mean.map((_, g) => running[place(first + g)]);
    variance = variance.map((_, g) => running[place(first + width + g)]);
  }
  return { mean, scale: variance.map((v) => 1 / Math.sqrt(v + p.epsilon)) };
}

export function backwardStep(lane: LaneSteps, arrays: BackwardArrays, i: number): void {
  if (lane.form.fused && i + 1 < lane.p.steps) backwardProduct(lane, arrays, i + 1);
  const step = stepAt(lane.p, lane.lane, i);
  lane.groups().forEach((elements, group) => backwardGroup(lane, arrays, { i, step, group, elements }));
}

export function backwardTail(lane: LaneSteps, arrays: BackwardArrays): void {
  const { p, form } = lane;
  if (form.fused) backwardProduct(lane, arrays, 0);
  for (let at = 0; at < p.B * p.H; at++) {
    const { hBeside, pair, product } = reaching(lane, arrays, stepAt(p, lane.lane, 0), at, false);
    arrays.carry[pair] = hBeside;
    arrays.carry[product] = 0;
  }
}

/** Where part `n` of a lane's carry begins. */
const partOf = ({ p, lane, G, form }: LaneSteps, n: number): number => (lane * carryParts(G, form).count + n) * align(p.B * p.H);

function backwardProduct(lane: LaneSteps, { carry, recurrent }: BackwardArrays, next: number): void {
  const { p, G } = lane;
  const r = lane.side("r", stepAt(p, lane.lane, next));
  for (let at = 0; at < p.B * p.H; at++) {
    const from = r + Math.floor(at / p.H) * p.H * G;
    let sum = 0;
    for (let k = 0; k < p.H; k++) for (let g = 0; g < G; g++) sum += recurrent[from + k * G + g] * lane.weight(k, at % p.H, g);
    carry[partOf(lane, 2) + at] = sum;
  }
}

/** ∂L/∂h and ∂L/∂c of the cell's results, the gradients that bypass the cell, and their places in the carry. */
function reaching(lane: LaneSteps, { carry, dy }: BackwardArrays, step: StepPlaces, at: number, alive: boolean) {
  const [pair, product] = [partOf(lane, 0) + 2 * at, partOf(lane, 2) + at];
  const dh = carry[pair] + carry[product] * lane.dropFactor(at);
  const dc = carry[pair + 1];
  if (!alive) return { dh: 0, dc: 0, hBeside: dh, cBeside: dc, pair, product };
  const total = dh + dy[step.dy + at];
  const { h, c } = lane.remains(step, at);
  return { dh: (1 - h) * total, dc: (1 - c) * dc, hBeside: h * total, cBeside: c * dc, pair, product };
}

function backwardGroup(lane: LaneSteps, arrays: BackwardArrays, { step, group, elements }: Group): void {
  const { cell, form, p, G } = lane;
  const { gates, h, c, carry, recurrent } = arrays;
  const parts = carryParts(G, form);
  const [x, r] = [lane.side("x", step), lane.side("r", step)];
  const statistics = lane.statistics(step, group);
  const members = elements.filter((at) => lane.alive(step, at));
  const constant = p.statistics === statisticsModes.running;
  const gatesAt = (at: number): number[] => Array.from(gates.subarray((step.gates + at) * G, (step.gates + at + 1) * G));
  const memoryOf = (at: number, dh: number) => {
    const [gain, bias] = lane.gain(3, at);
    const y = (lane.arithmetic.stateOf!(gatesAt(at), 0, c[step.cPrevious + at]).c - recurrent[statistics + 8]) * recurrent[statistics + 9];
    return { y, gain, ...lane.arithmetic.readOut!.backward(gatesAt(at), y * gain + bias, dh) };
  };
  let ofMemory = [0, 0];
  if (normalizesMemory(cell, form) && !constant) {
    const n = Math.max(members.length, 1);
    const read = members.map((at) => memoryOf(at, reaching(lane, arrays, step, at, true).dh));
    ofMemory = [
      read.reduce((sum, { gain, dz }) => sum + gain * dz, 0) / n,
      read.reduce((sum, { gain, dz, y }) => sum + gain * dz * y, 0) / n,
    ];
  }
  for (const at of elements) {
    const alive = lane.alive(step, at);
    const { dh, dc, hBeside, cBeside, pair, product } = reaching(lane, arrays, step, at, alive);
    carry.set([hBeside + (alive ? 0 : arrays.dy[step.dy + at]), cBeside], pair);
    carry[product] = 0;
    const saved = (step.gates + at) * G;
    if (!alive) {
      gates.fill(0, saved, saved + G);
      recurrent.fill(0, r + at * G, r + at * G + G);
      continue;
    }
    const [hPrevious, cPrevious] = [h[step.hPrevious + at], cell.usesC ? c[step.cPrevious + at] : 0];
    const activated = gatesAt(at);
    let out;
    if (normalizesMemory(cell, form)) {
      const { y, gain, dOutput, dz } = memoryOf(at, dh);
      const dMemory = recurrent[statistics + 9] * (gain * dz - ofMemory[0] - y * ofMemory[1]);
      out = lane.arithmetic.readOut!.gatesBackward(activated, cPrevious, dOutput, dc + dMemory, lane.perUnit(at));
      carry[partOf(lane, parts.memoryGain) + at] += dz * y;
      carry[partOf(lane, parts.memoryBias) + at] += dz;
    } else {
      const own = form.zones ? lane.arithmetic.stateOf!(activated, hPrevious, cPrevious) : undefined;
      const made = {
        h: own?.h ?? h[step.hCurrent + at],
        c: (cell.states.length > 0 ? own?.c : undefined) ?? (cell.usesC ? c[step.cCurrent + at] : 0),
      };
      out = lane.arithmetic.backward(activated, hPrevious, made.h, cPrevious, made.c, dh, dc, lane.perUnit(at));
    }
    carry[pair] += out.dhPrevious;
    carry[pair + 1] += out.dcPrevious;
    out.dGates.forEach((d, g) => (gates[saved + g] = d));
    if (!normalized(form)) {
      out.dRecurrent.forEach((d, g) => (recurrent[r + at * G + g] = d));
      continue;
    }
    for (let g = 0; g < G; g++) {
      const [dx, dr] = [out.dGates[g], out.dRecurrent[g]];
      carry[partOf(lane, parts.inputGain) + at * G + g] += dx * recurrent[x + at * G + g];
      carry[partOf(lane, parts.inputBias) + at * G + g] += dx;
      carry[partOf(lane, parts.recurrentGain) + at * G + g] += dr * recurrent[r + at * G + g];
      carry[partOf(lane, parts.recurrentBias) + at * G + g] += dr;
      carry[partOf(lane, parts.beforeNorm) + at * G + g] = dr;
    }
  }
  if (!normalized(form)) return;
  const sides = [
    {
      d: (at: number, g: number) => gates[(step.gates + at) * G + g],
      gain: 0,
      from: x,
      scale: statistics,
      to: gates,
      start: step.gates * G,
    },
    {
      d: (at: number, g: number) => carry[partOf(lane, parts.beforeNorm) + at * G + g],
      gain: 2,
      from: r,
      scale: statistics + 4,
      to: recurrent,
      start: r,
    },
  ];
  for (const { d, gain, from, scale, to, start } of sides) {
    const scaled = new Map(members.map((at) => [at, lane.gain(gain, at).map((factor, g) => factor * d(at, g))]));
    const y = (at: number, g: number): number => recurrent[from + at * G + g];
    const zero = lane.gatesOf(() => 0);
    const mean = constant ? zero : lane.mean(members, (at, g) => scaled.get(at)![g]);
    const product = constant ? zero : lane.mean(members, (at, g) => scaled.get(at)![g] * y(at, g));
    for (const at of members) {
      for (let g = 0; g < G; g++) to[start + at * G + g] = recurrent[scale + g] * (scaled.get(at)![g] - mean[g] - y(at, g) * product[g]);
    }
  }
}

const twins: KernelFamily["twins"] = [
  recurrentTwins<ReturnType<typeof regularizedForward>>("regularized-forward", ({ cell, regularized }) => (arrays, p) => {
    for (let i = p.i; i < p.i + p.count; i++) {
      for (let lane = 0; lane < p.lanes; lane++) forwardStep(new LaneSteps(cell, regularized!, p, lane, arrays), arrays, i);
    }
  }),
  recurrentTwins<ReturnType<typeof regularizedBackward>>("regularized-backward", ({ cell, regularized }) => (arrays, p) => {
    for (let lane = 0; lane < p.lanes; lane++) {
      const steps = new LaneSteps(cell, regularized!, p, lane, arrays);
      for (let i = p.i + p.count; i-- > p.i;) backwardStep(steps, arrays, i);
      if (p.tail) backwardTail(steps, arrays);
    }
  }),
];

/** Cells and forms that together compile every branch. */
const forms: readonly (readonly [Cell, RegularizedForm])[] = [
  [lstm, { normalization: "layer", zones: true, drops: true, fused: true }],
  [lstm, { normalization: "batch", zones: true, drops: true, fused: false }],
  [gru, { normalization: "layer", zones: false, drops: false, fused: false }],
  [gruCell({ reset: false, updateGate: "writes" }), { normalization: "layer", zones: true, drops: false, fused: true }],
  [rnnTanh, { normalization: "batch", zones: false, drops: true, fused: false, gaps: true }],
  [lstmCell({ forgetGate: "gate", peepholes: true }), { normalization: "none", zones: true, drops: true, fused: true, gaps: true }],
  [gru, { normalization: "none", zones: true, drops: false, fused: false }],
  // As GPUs run them: all weights held, then read in each step.
  [lstm, { normalization: "layer", zones: true, drops: true, fused: true, shared: 256 }],
  [gru, { normalization: "layer", zones: false, drops: false, fused: true, shared: 256 }],
  [rnnTanh, { normalization: "none", zones: true, drops: false, fused: true, gaps: true, shared: 256 }],
  [lstm, { normalization: "none", zones: false, drops: true, fused: true, shared: 128 }],
  [gru, { normalization: "layer", zones: true, drops: false, fused: true, shared: 128 }],
];

export const regularizedFamily: KernelFamily = {
  twins,
  variants: () => forms.flatMap(([cell, form]) => [regularizedForward(cell, 33, form), regularizedBackward(cell, 33, form)]),
};
