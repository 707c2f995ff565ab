import { checkNumber } from "../errors.ts";
import { dropout } from "../ops/dropout.ts";
import type { Variable } from "../ops/tape.ts";
import type { Context } from "./context.ts";
import { Module } from "./module.ts";

/**
 * Sets each element to 0 with probability `p` and divides the others by 1 - p, in training only (Srivastava et al.
 * 2014). The mask comes from the counter-based generator: the same on both backends, and never stored.
 * Any shape in, the same shape out.
 * @throws RnnError `option` unless `p` is from 0 to 1
 */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
    checkNumber("Dropout", "p", p, { least: 0, most: 1 });
  }

  forward(context: Context, x: Variable): Variable {
    if (!context.training || this.p === 0) return x;
    return dropout(context.tape, context.label("dropout"), x, { p: this.p, random: context.random, stream: context.randomStream() });
  }
}
