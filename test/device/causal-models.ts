/** Models with causal convolutions, for tests of what goes on from step to step. */
import {
  AvgPool1d,
  BatchNorm1d,
  Conv1d,
  Embedding,
  GRU,
  LayerNorm,
  Linear,
  LSTM,
  MaxPool1d,
  MinGRU,
  Module,
  Residual,
  RNN,
  Sequential,
  Tanh,
  type Context,
  type Variable,
} from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";

const last = { layout: "channelsLast", padding: "causal" } as const;

/** Residual blocks of convolutions, each of which looks further back, as in temporal convolutional networks. */
export const blocksOf = (channels: number, dilations: readonly number[]): Module[] =>
  dilations.map(
    (dilation) =>
      new Residual(
        new Sequential([
          new LayerNorm(channels),
          new Conv1d(channels, channels, 3, { ...last, dilation }),
          new Tanh(),
          new Linear(channels, channels),
        ]),
      ),
  );

/** A model of characters without recurrent layers. */
export const characterTcn = (ids: number, seed = 1): Module =>
  new Sequential([new Embedding(ids, 8), ...blocksOf(8, [1, 2, 4, 8]), new Linear(8, ids)], { seed });

/** A convolution and a norm that have the channels first, between parts that have them last. */
class ChannelsFirst extends Module {
  private readonly conv: Conv1d;
  private readonly norm: BatchNorm1d;

  constructor(channels: number, groups: number, dilation: number) {
    super();
    this.addChild("conv", (this.conv = new Conv1d(channels, channels, 2, { padding: [dilation, 0], dilation, groups })));
    this.addChild("norm", (this.norm = new BatchNorm1d(channels)));
  }

  override get batchFirst(): boolean {
    return true;
  }

  forward(context: Context, x: Variable): Variable {
    const turned = ops.permute(context, x, [0, 2, 1]);
    const y = this.norm.forward(context.child("norm"), this.conv.forward(context.child("conv"), turned));
    return ops.permute(context, y, [0, 2, 1]);
  }
}

/** A stack of up to eight layers, drawn by a seed, for frames of three numbers. */
export function randomStack(seed: number): Module {
  let state = Math.imul(seed + 1, 2654435761) >>> 0;
  const draw = (count: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
  const from = <T>(list: readonly T[]): T => list[draw(list.length)];
  let channels = 3;
  const modules: Module[] = [];
  const conv = (outputs: number): Module => {
    const groups = from([1, 2, 3, channels].filter((one) => channels % one === 0 && outputs % one === 0));
    return new Conv1d(channels, outputs, 1 + draw(5), { ...last, dilation: 1 + draw(8), groups, bias: draw(4) > 0 });
  };
  const kinds: (() => Module)[] = [
    () => conv(channels),
    () => {
      const outputs = from([4, 6, 12]);
      const made = conv(outputs);
      channels = outputs;
      return made;
    },
    () => new Residual(new Sequential([conv(channels), new LayerNorm(channels)])),
    () => new ChannelsFirst(channels, from([1, channels]), 1 + draw(4)),
    () => new MaxPool1d(1 + draw(3), { ...last, stride: 1, dilation: 1 + draw(2) }),
    () => new AvgPool1d(1 + draw(3), { ...last, stride: 1 }),
    () => new Tanh(),
    () => {
      const kind = from([LSTM, GRU, RNN, MinGRU]);
      const made = new kind(channels, 6, { batchFirst: true });
      channels = 6;
      return made;
    },
  ];
  // At least one convolution reads the frames, and all of its taps count.
  modules.push(kinds[1]());
  for (let i = 2 + draw(6); i > 0; i--) modules.push(from(kinds)());
  return new Sequential(modules, { seed });
}
