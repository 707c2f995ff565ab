import { RnnError, show } from "../errors.ts";
import { isA } from "../options.ts";
import { combined } from "../autodiff/elementwise.ts";
import type { Variable } from "../autodiff/tape.ts";
import { sameShape } from "../tensor/shape.ts";
import { checkCall, givenVariable, type Context } from "./context.ts";
import { Module } from "./module.ts";

/**
 * y = x + f(x) for a module f, whose parameters are named `block.…` (He et al. 2016).
 * @throws RnnError `option` if there is no module, `shape` when run if f changes the shape
 */
export class Residual extends Module {
  constructor(block: Module) {
    super();
    if (!isA(block, Module)) throw new RnnError("option", "Residual", `must get a module, got ${show(block)}`);
    this.addChild("block", block);
  }

  override get inputFeatures(): number | undefined {
    return this.children.get("block")!.inputFeatures;
  }

  override get hasWindows(): boolean {
    return this.children.get("block")!.hasWindows;
  }

  override describe(): readonly unknown[] {
    return [this.children.get("block")];
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("Residual", context, x);
    const y = givenVariable("Residual", "forward of its block", this.children.get("block")!.forward(context.child("block"), x));
    if (!sameShape(x.shape, y.shape))
      throw new RnnError(
        "shape",
        "Residual",
        `its block must keep the shape of its input, got [${y.shape.join(", ")}] for [${x.shape.join(", ")}]`,
      );
    return combined(context.tape, context.label("add"), "add", x, y, x.shape);
  }
}
