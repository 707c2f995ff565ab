import { checkBoolean, checkNumber, RnnError } from "../errors.ts";
import { takeOptions } from "../options.ts";
import type { Variable } from "../autodiff/tape.ts";
import { checkCall, type Context } from "./context.ts";
import { dropElements } from "./drop-elements.ts";
import { Module } from "./module.ts";

/**
 * Sets each element to 0 with probability `p` and divides the others by 1 - p, in training only (Srivastava et al.
 * 2014). The mask comes from the counter-based generator: the same on both backends, and never stored.
 * `variational: true` drops the same elements at every time step (Gal & Ghahramani 2016). The input is then [steps,
 * batch, ·], or with `batchFirst: true` [batch, steps, ·].
 * Any shape in, the same shape out.
 * @throws RnnError `option` unless `p` is from 0 to 1, `shape` when run if variational dropout has no time steps
 */
export class Dropout extends Module {
  private readonly time: number | undefined;

  constructor(
    readonly p = 0.5,
    given: { variational?: boolean; batchFirst?: boolean } = {},
  ) {
    super();
    checkNumber("Dropout", "p", p, { least: 0, most: 1 });
    const options = takeOptions("Dropout", given, ["variational", "batchFirst"]);
    const variational = checkBoolean("Dropout", "variational", options.variational ?? false);
    const batchFirst = checkBoolean("Dropout", "batchFirst", options.batchFirst ?? false);
    if (batchFirst && !variational)
      throw new RnnError("option", "Dropout", "batchFirst says which axis is time and needs variational: true");
    this.time = variational ? (batchFirst ? 1 : 0) : undefined;
  }

  override describe(): readonly unknown[] {
    return [this.p, { variational: this.time !== undefined, batchFirst: this.time === 1 }];
  }

  override get saysBatchFirst(): boolean | undefined {
    return this.time === undefined ? undefined : this.time === 1;
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("Dropout", context, x);
    if (this.time !== undefined && x.shape.length < 3)
      throw new RnnError("shape", "Dropout", `a variational one takes [steps, batch, ·], got [${x.shape.join(", ")}]`);
    if (!context.training || this.p === 0) return x;
    return dropElements(context, "dropout", x, this.p, this.time);
  }
}
