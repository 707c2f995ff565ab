/** Normalization as modules, with the parameters' names of PyTorch. */
import { checkBoolean, checkNumber, checkSize, RnnError, show } from "../errors.ts";
import { takeOptions } from "../options.ts";
import { blend } from "../autodiff/elementwise.ts";
import type { Variable } from "../autodiff/tape.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import { checkCall, type Context } from "./context.ts";
import { constant } from "./initializers.ts";
import { Module } from "./module.ts";
import { batchNorm, layerNorm, normalizeBatch, takeEps, takeSizes } from "./ops/normalization.ts";
import { Parameter } from "./parameter.ts";

/**
 * y = (x - mean) / √(variance + eps)⊙weight + bias over the last axes (Ba et al. 2016), as PyTorch's `nn.LayerNorm`:
 * `weight` and `bias` have the shape of these axes and begin as ones and zeros. Any axes may come before.
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class LayerNorm extends Module {
  /** The sizes of the last axes. */
  readonly shape: Shape;
  private readonly eps: number;

  /** @param shape sizes of the last axes, or the size of the last one */
  constructor(
    shape: number | Shape,
    given: { eps?: number; /** Whether it has a weight and a bias (default true). */ affine?: boolean; bias?: boolean } = {},
  ) {
    super();
    const { eps, affine = true, bias = true } = takeOptions("LayerNorm", given, ["eps", "affine", "bias"]);
    this.shape = takeSizes("LayerNorm", typeof shape === "number" ? [shape] : shape);
    this.eps = takeEps("LayerNorm", { eps });
    checkBoolean("LayerNorm", "affine", affine);
    checkBoolean("LayerNorm", "bias", bias);
    if (affine) this.addParameter("weight", new Parameter(this.shape, constant(1)));
    if (affine && bias) this.addParameter("bias", new Parameter(this.shape, constant(0)));
    this.initialize(0);
  }

  override get inputFeatures(): number | undefined {
    return this.shape.length === 1 ? this.shape[0] : undefined;
  }

  override describe(): readonly unknown[] {
    return [this.shape, { eps: this.eps, affine: this.namedParameters().has("weight"), bias: this.namedParameters().has("bias") }];
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("LayerNorm", context, x);
    const [weight, bias] = ["weight", "bias"].map((name) => (this.namedParameters().has(name) ? context.parameter(name) : undefined));
    return layerNorm(context, x, this.shape, weight, bias, { eps: this.eps });
  }
}

/**
 * y = (x - mean) / √(variance + eps)⊙weight + bias for each channel (Ioffe and Szegedy 2015), as PyTorch's
 * `nn.BatchNorm1d`. In training the statistics are the batch's, and `running_mean` and `running_var` move towards them by
 * `momentum`; otherwise these are the statistics. Input [batch, features] or [batch, features, steps].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit or, in
 * training, a channel has one number only
 */
export class BatchNorm1d extends Module {
  private readonly eps: number;
  private readonly momentum: number;

  constructor(
    readonly features: number,
    given: { eps?: number; momentum?: number; affine?: boolean } = {},
  ) {
    super();
    checkSize("BatchNorm1d", "features", features, 1);
    const { eps, momentum = 0.1, affine = true } = takeOptions("BatchNorm1d", given, ["eps", "momentum", "affine"]);
    this.eps = takeEps("BatchNorm1d", { eps });
    this.momentum = checkNumber("BatchNorm1d", "momentum", momentum, { least: 0, most: 1 });
    checkBoolean("BatchNorm1d", "affine", affine);
    if (affine) {
      this.addParameter("weight", new Parameter([features], constant(1)));
      this.addParameter("bias", new Parameter([features], constant(0)));
    }
    this.addParameter("running_mean", new Parameter([features], constant(0), 1, undefined, true));
    this.addParameter("running_var", new Parameter([features], constant(1), 1, undefined, true));
    this.initialize(0);
  }

  override describe(): readonly unknown[] {
    return [this.features, { eps: this.eps, momentum: this.momentum, affine: this.namedParameters().has("weight") }];
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("BatchNorm1d", context, x);
    const { shape } = x;
    if ((shape.length !== 2 && shape.length !== 3) || shape[1] !== this.features)
      throw new RnnError(
        "shape",
        "BatchNorm1d",
        `input must be [batch, ${this.features}] or [batch, ${this.features}, steps], got ${show([...shape])}`,
      );
    const [weight, bias] = ["weight", "bias"].map((name) => (this.namedParameters().has(name) ? context.parameter(name) : undefined));
    const [mean, variance] = [context.parameter("running_mean"), context.parameter("running_var")];
    if (!context.training) return batchNorm(context, x, { mean, variance }, weight, bias, { eps: this.eps });
    const count = sizeOf(shape) / this.features;
    if (count === 1)
      throw new RnnError(
        "shape",
        "BatchNorm1d",
        `training needs more than one number for each feature, got ${show([...shape])}; use a larger batch`,
      );
    const { y, means, variances } = normalizeBatch(context, x, weight, bias, this.eps);
    blend(context.tape, context.label("mean"), mean.view, means, this.momentum);
    // The running variance is the unbiased one, as in PyTorch.
    blend(context.tape, context.label("variance"), variance.view, variances, this.momentum, count / (count - 1));
    return y;
  }
}
