/** The options of normalisation, zoneout and recurrent dropout of a recurrent layer, and the parameters that follow from them. */
import { runningRows } from "../cells/memory.ts";
import { checkChoice, checkInteger, checkNumber, RnnError } from "../../errors.ts";
import { phasesOf, type Cell } from "../cells/cell.ts";
import type { Normalization } from "../kernels/regularized-layout.ts";
import { takeOptions } from "../../options.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { Initializer } from "../../nn/initializers.ts";

/** Options of recurrent layers that act between product and cell, or on the states. */
export interface RegularizationOptions {
  /**
   * Normalises both sides of the gates, γ_x⊙N(W·x_t) + b_ih and γ_h⊙N(U·h_{t-1}) + b_hh, and the memory that an LSTM
   * reads h from, γ_c⊙N(c_t) + β_c, with N(v) = (v - mean) / √(variance + 1e-5). "layer" normalises over the units of a
   * row (Ba et al. 2016): all gates together, but a GRU's candidate by itself; gains begin at 1. "batch" normalises
   * over the rows of the batch, at each step by itself (Cooijmans et al. 2017); gains begin at 0.1, and inference uses
   * running statistics. Default "none".
   */
  normalization?: Normalization;
  /**
   * With "batch", the number of steps that have their own running statistics; later steps share the last one's. Steps
   * are counted from the first of each call and of each training batch. So a sequence that goes on from a given state
   * uses those of the first steps again; with 1, all steps share one set. In training, a step that only one row reaches
   * normalises to zero, and a batch of a single row is refused. The state dictionary has them as `running_l{k}`
   * [normalizedSteps, (4·G + 2)·H], without the 2 if the cell is not an LSTM's; G counts gates without parameters too.
   * They are means and variances of W·x, of U·h, and of c. A new batch has the weight 0.1.
   */
  normalizedSteps?: number;
  /**
   * Probability that a unit keeps h or c of the step before, drawn anew at each step; inference uses the expected
   * mixture of both (Krueger et al. 2017). A number is for h and c. Default 0.
   */
  zoneout?: number | { h?: number; c?: number };
  /**
   * In training, the probability that an element of h_{t-1} is 0 in U·h_{t-1}; the others are divided by 1 minus it.
   * The same elements are 0 at every step of a sequence (Gal & Ghahramani 2016). Default 0.
   */
  recurrentDropout?: number;
}

export const regularizationNames = ["normalization", "normalizedSteps", "zoneout", "recurrentDropout"] as const;

export class Regularizer {
  readonly normalization: Normalization;
  readonly normalizedSteps: number;
  readonly zoneout: { h: number; c: number };
  readonly recurrentDropout: number;

  /** @throws RnnError `option` for options that are out of range or exclude each other */
  constructor(
    where: string,
    private readonly cell: Cell,
    options: RegularizationOptions,
    projects: boolean,
  ) {
    const { normalizedSteps, zoneout: givenZoneout = 0 } = options;
    this.normalization = checkChoice<Normalization>(where, "normalization", options.normalization ?? "none", ["none", "layer", "batch"]);
    const batch = this.normalization === "batch";
    if (batch && normalizedSteps === undefined)
      throw new RnnError(
        "option",
        where,
        `normalization "batch" needs normalizedSteps, the number of steps with running statistics of their own`,
      );
    if (!batch && normalizedSteps !== undefined)
      throw new RnnError("option", where, `normalizedSteps needs normalization "batch", got "${this.normalization}"`);
    this.normalizedSteps = batch ? checkInteger(where, "normalizedSteps", normalizedSteps, 1) : 0;
    this.recurrentDropout = checkNumber(where, "recurrentDropout", options.recurrentDropout ?? 0, { least: 0, most: 1 });
    const zoneout = typeof givenZoneout === "number" ? givenZoneout : takeOptions(`${where}.zoneout`, givenZoneout, ["h", "c"]);
    const { h = 0, c = 0 } = typeof zoneout === "number" ? { h: zoneout, c: cell.states.length > 0 ? zoneout : 0 } : zoneout;
    this.zoneout = {
      h: checkNumber(where, "zoneout of h", h, { least: 0, most: 1 }),
      c: checkNumber(where, "zoneout of c", c, { least: 0, most: 1 }),
    };
    this.checkCell(where, projects);
  }

  private checkCell(where: string, projects: boolean): void {
    const { cell, zoneout } = this;
    if (zoneout.c > 0 && cell.states.length === 0)
      throw new RnnError("option", where, "zoneout of c needs a cell with a memory, which is the LSTM's");
    const asked = [
      ...(this.normalization === "none" ? [] : ["normalization"]),
      ...(zoneout.h > 0 || zoneout.c > 0 ? ["zoneout"] : []),
      ...(this.recurrentDropout > 0 ? ["recurrentDropout"] : []),
    ];
    if (asked.length === 0) return;
    if (phasesOf(cell) === 2)
      throw new RnnError("option", where, `${asked[0]} needs reset: "after" or "none"; with "before" the gates stand between two products`);
    if (cell.states.length > 1)
      throw new RnnError("option", where, `${asked[0]} needs a cell with at most one state besides h, got ${cell.states.join(", ")}`);
    if (projects) throw new RnnError("option", where, `${asked[0]} and projSize do not go together`);
    if (this.normalization !== "none" && cell.perUnit)
      throw new RnnError(
        "option",
        where,
        "normalization and peepholes do not go together: gates would see the memory before and after its norm",
      );
    if (zoneout.c > 0 && cell.perUnit)
      throw new RnnError(
        "option",
        where,
        "zoneout of c and peepholes do not go together: o would see a c that is not the state; use zoneout: { h }",
      );
    if (asked.includes("zoneout") && !cell.hasStateOf)
      throw new RnnError(
        "option",
        where,
        "zoneout needs stateOf in what defineCell was given: its backward pass needs the state before zoneout, which is not kept",
      );
  }

  /** Whether anything acts; in inference nothing is dropped. */
  acts(training: boolean): boolean {
    const { normalization, zoneout, recurrentDropout } = this;
    return normalization !== "none" || zoneout.h > 0 || zoneout.c > 0 || (training && recurrentDropout > 0);
  }

  /** First value of the gains, and whether the memory has some; undefined if nothing is normalised. */
  get gains(): { first: number; memory: boolean } | undefined {
    if (this.normalization === "none") return undefined;
    return { first: this.normalization === "batch" ? 0.1 : 1, memory: this.cell.hasReadOut === true };
  }

  /** Shape of the running statistics of H units; undefined if none are kept. */
  get runningShape(): ((H: number) => Shape) | undefined {
    const { cell, normalizedSteps } = this;
    return normalizedSteps > 0 ? (H) => [normalizedSteps, runningRows(cell) * H] : undefined;
  }

  /** Means 0 and variances 1. */
  readonly firstStatistics: Initializer = ([steps, columns]) => {
    const G = this.cell.gateNames.length;
    const H = columns / (4 * G + (this.gains?.memory ? 2 : 0));
    // Rows: G means, G variances, G means, G variances, a mean, a variance.
    const isVariance = (row: number): boolean => (row < 4 * G ? Math.floor(row / G) % 2 === 1 : row === 4 * G + 1);
    return Float32Array.from({ length: steps * columns }, (_, i) => (isVariance(Math.floor((i % columns) / H)) ? 1 : 0));
  };
}
