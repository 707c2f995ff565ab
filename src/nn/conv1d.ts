import { checkBoolean, checkCount, checkSize, RnnError } from "../errors.ts";
import { takeOptions } from "../options.ts";
import type { Variable } from "../autodiff/tape.ts";
import { checkCall, type Context } from "./context.ts";
import { uniform } from "./initializers.ts";
import { anySeed, Module, type WholeSequences } from "./module.ts";
import { stepsBack, wholeSequences, withPast } from "./past.ts";
import { conv1d, takeWindows, type WindowOptions } from "./ops/windows.ts";
import { Parameter } from "./parameter.ts";

/**
 * A convolution along time, as PyTorch's `nn.Conv1d`: `weight` [outChannels, inChannels / groups, size] and `bias`
 * [outChannels], both drawn from U(-b, b) with b = 1/√(inChannels / groups · size). Input [batch, channels, steps], or
 * with `layout: "channelsLast"` [batch, steps, channels]; output the same with outChannels. `padding: "causal"` makes an
 * output that sees no later steps, "same" one that is as long as the input.
 *
 * A causal convolution of stride 1 has a state, `past` [1, batch, channels, (size - 1)·dilation], or with channels last
 * [1, batch, (size - 1)·dilation, channels]: the last steps of its input, which the next call goes on from.
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class Conv1d extends Module {
  private readonly hasBias: boolean;
  private readonly options: WindowOptions & { readonly groups: number };

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly size: number,
    given: WindowOptions & { groups?: number; bias?: boolean; seed?: number } = {},
  ) {
    super();
    const where = "Conv1d";
    checkSize(where, "inChannels", inChannels, 1);
    checkSize(where, "outChannels", outChannels, 1);
    checkSize(where, "size", size, 1);
    const { bias, seed, groups, ...windows } = takeOptions(where, given, [
      "stride",
      "padding",
      "dilation",
      "layout",
      "groups",
      "bias",
      "seed",
    ]);
    const { stride, padding, dilation } = takeWindows(where, windows);
    this.options = { stride, padding, dilation, layout: windows.layout, groups: checkSize(where, "groups", groups ?? 1, 1) };
    this.hasBias = checkBoolean(where, "bias", bias ?? true);
    if (inChannels % this.options.groups !== 0 || outChannels % this.options.groups !== 0)
      throw new RnnError(
        "option",
        where,
        `groups must divide the ${inChannels} and the ${outChannels} channels, got ${this.options.groups}`,
      );
    const perGroup = inChannels / this.options.groups;
    checkCount(where, `weight [${outChannels}, ${perGroup}, ${size}]`, outChannels * perGroup * size);
    const initializer = uniform(1 / Math.sqrt(perGroup * size));
    this.addParameter("weight", new Parameter([outChannels, perGroup, size], initializer));
    if (this.hasBias) this.addParameter("bias", new Parameter([outChannels], initializer));
    this.initialize(seed ?? anySeed());
  }

  override describe(): readonly unknown[] {
    return [this.inChannels, this.outChannels, this.size, { ...this.options, bias: this.hasBias }];
  }

  override get inputFeatures(): number | undefined {
    return this.options.layout === "channelsLast" ? this.inChannels : undefined;
  }

  override get hasWindows(): boolean {
    return true;
  }

  override get needsWholeSequences(): WholeSequences | undefined {
    return wholeSequences(this.size, this.options);
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("Conv1d", context, x);
    const { size, options } = this;
    const steps = stepsBack(size, options);
    const [from, padding] =
      steps === undefined ? [x, options.padding] : withPast(context, "Conv1d", x, options.layout === "channelsLast", { steps });
    return conv1d(context, from, context.parameter("weight"), this.hasBias ? context.parameter("bias") : undefined, {
      ...options,
      padding,
    });
  }
}
