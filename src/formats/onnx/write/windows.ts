/** Convolutions and pooling as nodes of an ONNX graph. */
import type { Padding } from "../../../nn/ops/windows.ts";
import { refuse, type Wire } from "./builder.ts";
import type { Site, Writer } from "./modules.ts";
import type { OnnxAttribute } from "./proto.ts";

interface Windows {
  readonly stride: number;
  readonly dilation: number;
  readonly padding: Padding;
  readonly layout?: string;
}

/** Zeros before and behind; undefined if they depend on a length that is open. */
function sidesOf({ padding, stride }: Windows, span: number, length: number | string): readonly [number, number] | undefined {
  if (padding === "valid") return [0, 0];
  if (padding === "causal") return [span, 0];
  if (padding === "same") {
    if (stride > 1 && typeof length === "string") return undefined;
    const total = stride === 1 ? span : Math.max(0, (Math.ceil((length as number) / stride) - 1) * stride + span + 1 - (length as number));
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  }
  return typeof padding === "number" ? [padding, padding] : padding;
}

/** Adds a node over windows of a sequence; `more` are its inputs behind x. */
function windowed(
  { build, path, kind }: Site,
  x: Wire,
  operator: string,
  taps: number,
  windows: Windows,
  { channels, more = [], attributes = {} }: { channels?: number; more?: readonly string[]; attributes?: Record<string, OnnxAttribute> },
): Wire {
  const { stride, dilation } = windows;
  if (x.sizes.length !== 3) return refuse(path, kind, `it needs an input of three axes here, got ${x.sizes.length}`);
  const isLast = windows.layout === "channelsLast";
  const from = isLast ? build.transposed(path, x, [0, 2, 1]) : x;
  const span = dilation * (taps - 1);
  const [N, C, L] = from.sizes;
  const sides = sidesOf(windows, span, L);
  if (!sides && dilation > 1)
    return refuse(
      path,
      kind,
      'padding: "same" with stride and dilation needs a fixed number of steps; give it, as in { input: ["batch", 16, 100] }',
    );
  if (operator !== "Conv" && sides?.some((side) => side >= taps)) return refuse(path, kind, "ONNX pads less than the size of a window");
  const grows = sides ? sides[0] + sides[1] - span : 0;
  const name = build.node(path, operator, [from.name, ...more], {
    kernel_shape: { ints: [taps] },
    strides: { ints: [stride] },
    ...(dilation > 1 && { dilations: { ints: [dilation] } }),
    ...(sides ? { pads: { ints: sides } } : { auto_pad: { s: "SAME_UPPER" } }),
    ...attributes,
  });
  const isOpen = typeof L === "string";
  const long = isOpen
    ? stride === 1 && grows === 0
      ? L
      : `${path}${kind}.length`
    : Math.floor((L + (sides ? grows : stride) - 1) / stride) + (sides ? 1 : 0);
  const y = { name, sizes: [N, channels ?? C, long] };
  return isLast ? build.transposed(path, y, [0, 2, 1]) : y;
}

export const convolution: Writer = (site, x) => {
  const { build, path, args } = site;
  const [inputs, channels, taps, options] = args as [number, number, number, Windows & { groups: number; bias: boolean }];
  const weight = build.numbers(`${path}weight`, [channels, inputs / options.groups, taps], build.parameter(`${path}weight`));
  const bias = options.bias ? [build.numbers(`${path}bias`, [channels], build.parameter(`${path}bias`))] : [];
  const attributes = { group: { i: options.groups } };
  return windowed(site, x, "Conv", taps, options, { channels, more: [weight, ...bias], attributes });
};

export const maxPool: Writer = (site, x) => {
  const [taps, options] = site.args as [number, Windows];
  return windowed(site, x, "MaxPool", taps, options, {});
};

export const averagePool: Writer = (site, x) => {
  const { build, path, kind, args } = site;
  const [taps, options] = args as [number, Windows & { countPadding?: boolean }];
  if (options.dilation > 1 && build.opset < 19) return refuse(path, kind, "dilation needs { opset: 19 } or later");
  const counts = options.countPadding ?? true;
  return windowed(site, x, "AveragePool", taps, options, { attributes: { count_include_pad: { i: counts ? 1 : 0 } } });
};
