/** Pooling of sequences, [batch, channels, steps], or with `layout: "channelsLast"` [batch, steps, channels]. */
import { checkBoolean, checkSize } from "../errors.ts";
import { takeOptions } from "../options.ts";
import type { Variable } from "../autodiff/tape.ts";
import { leastNumber } from "../autodiff/windows.ts";
import { checkCall, type Context } from "./context.ts";
import { Module, type WholeSequences } from "./module.ts";
import { stepsBack, wholeSequences, withPast } from "./past.ts";
import { avgPool1d, maxPool1d, takeWindows, type WindowOptions } from "./ops/windows.ts";

const names = ["stride", "padding", "dilation", "layout"];

/** Checks the options when a module is made, and keeps what they were then. */
function taken<T extends WindowOptions>(where: string, size: number, given: T, known: readonly string[]): T {
  checkSize(where, "size", size, 1);
  const options = takeOptions(where, given, known);
  const { stride, padding, dilation } = takeWindows(where, options, size);
  return { ...options, stride, padding, dilation };
}

/**
 * The greatest element of each window, channel by channel, as PyTorch's `nn.MaxPool1d`; the stride is by default the size
 * of the window. Padding does not count.
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class MaxPool1d extends Module {
  private readonly options: WindowOptions;

  constructor(
    readonly size: number,
    given: WindowOptions = {},
  ) {
    super();
    this.options = taken("MaxPool1d", size, given, names);
  }

  override describe(): readonly unknown[] {
    return [this.size, this.options];
  }

  override get hasWindows(): boolean {
    return true;
  }

  override get needsWholeSequences(): WholeSequences | undefined {
    return wholeSequences(this.size, this.options);
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("MaxPool1d", context, x);
    const { size, options } = this;
    const steps = stepsBack(size, options);
    if (steps === undefined) return maxPool1d(context, x, size, options);
    const [from, padding] = withPast(context, "MaxPool1d", x, options.layout === "channelsLast", { steps, first: leastNumber });
    return maxPool1d(context, from, size, { ...options, padding });
  }
}

/**
 * The mean of each window, channel by channel, as PyTorch's `nn.AvgPool1d`; the stride is by default the size of the
 * window. Padding counts as zeros, unless `countPadding` is false.
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class AvgPool1d extends Module {
  private readonly options: WindowOptions & { readonly countPadding?: boolean };

  constructor(
    readonly size: number,
    given: WindowOptions & { readonly countPadding?: boolean } = {},
  ) {
    super();
    this.options = taken("AvgPool1d", size, given, [...names, "countPadding"]);
    checkBoolean("AvgPool1d", "countPadding", this.options.countPadding ?? true);
  }

  override describe(): readonly unknown[] {
    return [this.size, this.options];
  }

  override get hasWindows(): boolean {
    return true;
  }

  override get needsWholeSequences(): WholeSequences | undefined {
    const found = wholeSequences(this.size, this.options);
    if (found || this.goesOn) return found;
    return { path: "", reason: "with countPadding: false its first steps are means of fewer; countPadding: true lets it go on" };
  }

  /** Whether steps before the sequence count as zeros, which a later call replaces by what came. */
  private get goesOn(): boolean {
    return this.size === 1 || (this.options.countPadding ?? true);
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("AvgPool1d", context, x);
    const { size, options } = this;
    const steps = this.goesOn ? stepsBack(size, options) : undefined;
    if (steps === undefined) return avgPool1d(context, x, size, options);
    const [from, padding] = withPast(context, "AvgPool1d", x, options.layout === "channelsLast", { steps });
    return avgPool1d(context, from, size, { ...options, padding });
  }
}
