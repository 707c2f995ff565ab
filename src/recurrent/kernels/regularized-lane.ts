/** One lane, as the twins of the regularized kernels see it: places of numbers, rows that have a step, means, masks. */
import type { NumericArray } from "../../tensor/tensor.ts";
import type { CellArithmetic, Gates } from "../cells/arithmetic.ts";
import { arithmeticOf } from "../cells/all-cells.ts";
import type { Cell } from "../cells/cell.ts";
import { philox, uniformOf } from "../../kernels/philox.ts";
import { laneStart } from "./lanes.ts";
import { hasStep } from "./lanes.twin.ts";
import { type StepPlaces } from "./step-places.ts";
import { extraRows, gateBits, regularizedLayout, type RegularizedForm, type RegularizedParams } from "./regularized-layout.ts";

/** The steps of a kernel in one lane, with the facts about cell, form and params that both twins need. */
export class LaneSteps {
  readonly G: number;
  readonly arithmetic: CellArithmetic;
  readonly layout: ReturnType<typeof regularizedLayout>;
  readonly extra: number;
  private readonly matrix: number;

  constructor(
    readonly cell: Cell,
    readonly form: RegularizedForm,
    readonly p: RegularizedParams,
    readonly lane: number,
    private readonly arrays: { weights: NumericArray; recurrent: NumericArray; lengths: NumericArray; random: NumericArray },
  ) {
    const { H } = p;
    this.G = cell.gateNames.length;
    // A layer with norms or zoneout has at most one state besides h.
    this.arithmetic = arithmeticOf(cell) as CellArithmetic;
    this.layout = regularizedLayout(p, this.G, form);
    this.extra = extraRows(cell, form);
    this.matrix = laneStart(lane, (H + this.extra) * H) * this.G;
  }

  /** The elements that are normalised together: the units of each row, or the rows of each unit. */
  groups(): number[][] {
    const { B, H } = this.p;
    const batch = this.form.normalization === "batch";
    return Array.from({ length: batch ? H : B }, (_, group) =>
      Array.from({ length: batch ? B : H }, (_, e) => (batch ? e * H + group : group * H + e)),
    );
  }

  alive(step: StepPlaces, at: number): boolean {
    return hasStep(this.arrays.lengths, Math.floor(at / this.p.H), step.t);
  }

  /** Weight `g` from unit `from` to unit `to`; rows from H on are those behind U. */
  weight(from: number, to: number, g: number): number {
    return this.arrays.weights[this.matrix + (from * this.p.H + to) * this.G + g];
  }

  /** One of the rows behind U. */
  row(n: number, at: number): Gates {
    return this.gatesOf((g) => this.weight(this.p.H + n, at % this.p.H, g));
  }

  /** 0: γ_x; 1: b_ih; 2: γ_h; 3: (γ_c, β_c). */
  gain(n: number, at: number): Gates {
    return this.row(this.extra - 4 + n, at);
  }

  perUnit(at: number): Gates {
    return this.cell.perUnit ? this.row(1, at) : this.gatesOf(() => 0);
  }

  gatesOf(value: (g: number) => number): number[] {
    return Array.from({ length: this.G }, (_, g) => value(g));
  }

  /** Where a side of a step begins in `recurrent`. */
  side(which: "x" | "r", step: StepPlaces): number {
    const local = step.gates - laneStart(this.lane, this.p.steps * this.p.B * this.p.H);
    return this.lane * this.layout.size + (which === "r" ? this.layout.r : 0) + local * this.G;
  }

  statistics(step: StepPlaces, group: number): number {
    const { B, H, steps } = this.p;
    const local = (step.gates - laneStart(this.lane, steps * B * H)) / (B * H);
    return this.lane * this.layout.size + this.layout.statistics + (local * this.layout.groups + group) * 12;
  }

  /** Means over the members of a group: of each gate if over the batch, else over the gates that belong together. */
  mean(members: readonly number[], value: (at: number, g: number) => number): number[] {
    const total = this.gatesOf((g) => members.reduce((sum, at) => sum + value(at, g), 0));
    const n = Math.max(members.length, 1);
    if (this.form.normalization === "batch") return total.map((sum) => sum / n);
    const together = gateBits(this.cell).map((bits) => total.map((_, g) => (bits >> g) & 1));
    const means = together.map(
      (one) =>
        total.reduce((sum, v, g) => sum + v * one[g], 0) /
        (n *
          Math.max(
            1,
            one.reduce((a, b) => a + b, 0),
          )),
    );
    return this.gatesOf((g) => together[0][g] * means[0] + together[1][g] * means[1]);
  }

  /** The shares of the previous h and c that remain. */
  remains(step: StepPlaces, at: number): { h: number; c: number } {
    const { zoneH, zoneC, draws, B, H, stream } = this.p;
    if (!this.form.zones || !draws) return { h: zoneH, c: zoneC };
    const [forH, forC] = this.words(step.t * B * H + at, stream + 2 * this.lane + 1);
    return { h: uniformOf(forH) < Math.fround(zoneH) ? 1 : 0, c: uniformOf(forC) < Math.fround(zoneC) ? 1 : 0 };
  }

  dropFactor(at: number): number {
    if (!this.form.drops) return 1;
    const { stream, dropP } = this.p;
    const word = this.words(Math.floor(at / 4), stream + 2 * this.lane)[at % 4];
    return uniformOf(word) < Math.fround(dropP) ? 0 : 1 / (1 - dropP);
  }

  private words(element: number, stream: number): readonly number[] {
    const { random } = this.arrays;
    return philox([element, stream, random[2], random[3]], [random[0], random[1]]);
  }
}
