import { checkBoolean, checkCount, checkInteger } from "../errors.ts";
import { takeOptions } from "../options.ts";
import { linear } from "../autodiff/linear.ts";
import type { Variable } from "../autodiff/tape.ts";
import { checkShape } from "../tensor/shape.ts";
import { checkCall, type Context } from "./context.ts";
import { uniform } from "./initializers.ts";
import { anySeed, Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/**
 * y = x·Wᵀ + b, as PyTorch's `nn.Linear`: `weight` [outFeatures, inFeatures] and `bias` [outFeatures], both drawn
 * from U(-1/√inFeatures, 1/√inFeatures). Input [..., inFeatures], output [..., outFeatures].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class Linear extends Module {
  private readonly bias: boolean;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    given: { bias?: boolean; seed?: number } = {},
  ) {
    super();
    checkInteger("Linear", "inFeatures", inFeatures, 1);
    checkInteger("Linear", "outFeatures", outFeatures, 1);
    const options = takeOptions("Linear", given, ["bias", "seed"]);
    checkCount("Linear", `weight [${outFeatures}, ${inFeatures}]`, inFeatures * outFeatures);
    this.bias = checkBoolean("Linear", "bias", options.bias ?? true);
    const initializer = uniform(1 / Math.sqrt(inFeatures));
    this.addParameter("weight", new Parameter([outFeatures, inFeatures], initializer));
    if (this.bias) this.addParameter("bias", new Parameter([outFeatures], initializer));
    this.initialize(options.seed ?? anySeed());
  }

  override get inputFeatures(): number {
    return this.inFeatures;
  }

  override describe(): readonly unknown[] {
    return [this.inFeatures, this.outFeatures, { bias: this.bias }];
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("Linear", context, x);
    checkShape("Linear", "input", x.shape, [...x.shape.slice(0, -1).map(() => "any"), this.inFeatures]);
    return linear(context.tape, context.path + "linear", x, context.parameter("weight"), this.bias ? context.parameter("bias") : undefined);
  }
}
