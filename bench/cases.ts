/** What can be measured: cells, shapes and modes, and the arithmetic that each needs. */

/** `gru` resets after the recurrent product (PyTorch, cuDNN); `gru-reset-before` before it (the paper, tfjs, ONNX' default). */
export const cells = ["rnn", "gru", "lstm", "gru-reset-before"] as const;
export type Cell = (typeof cells)[number];

/**
 * - `forward`: one layer, from a host array to a host array
 * - `training`: one layer alone: forward, L = mean (y - target)², gradients of all weights, an SGD update. The same in every library
 * - `model`: a training step of a whole character model of ours: embedding, layer, logits, cross-entropy, BPTT, clip, Adam
 * - `generation`: `steps` tokens drawn one after the other from that model
 * - `stream`: a call with the next `steps` frames of each of `batch` streams, which keep their states. A stream of single
 *   numbers (sound: an input of 1) has a linear layer behind the recurrent ones, so that it gives single numbers too
 */
export const modes = ["forward", "training", "model", "generation", "stream"] as const;
export type Mode = (typeof modes)[number];

export interface Shape {
  readonly steps: number;
  readonly batch: number;
  readonly input: number;
  readonly hidden: number;
  /** Recurrent layers, one behind the other (default 1); more only in the mode `stream`. */
  readonly layers?: number;
}

export interface Case extends Shape {
  readonly cell: Cell;
  readonly mode: Mode;
}

/** The smallest is for launch costs, the second a middling layer, the third streaming, the fourth arithmetic. */
export const defaultShapes: readonly Shape[] = [
  { steps: 32, batch: 8, input: 32, hidden: 32 },
  { steps: 64, batch: 32, input: 64, hidden: 128 },
  { steps: 100, batch: 1, input: 64, hidden: 128 },
  { steps: 32, batch: 32, input: 256, hidden: 512 },
];

/** Single frames, quanta of an AudioWorklet, and a frame of each of many users' streams. */
const stream = (cell: Cell, hidden: number, other: Partial<Shape> = {}): Case => ({
  steps: 1,
  batch: 1,
  input: hidden,
  hidden,
  ...other,
  cell,
  mode: "stream",
});
export const defaultStreams: readonly Case[] = [
  ...[16, 64, 128, 256].map((hidden) => stream("lstm", hidden)),
  stream("gru", 128, { layers: 3 }),
  ...[32, 64, 128].map((hidden) => stream("lstm", hidden, { steps: 128, input: 1 })),
  stream("lstm", 128, { batch: 64 }),
];

/** Microseconds per step on a GPU, as papers give them: input as wide as the layer. The last is FlashRNN's. */
export const gridShapes: readonly Shape[] = [
  ...[64, 128, 256, 512, 1024].flatMap((hidden) =>
    [1, 16, 32, 64].flatMap((batch) => [32, 100, 512].map((steps) => ({ steps, batch, input: hidden, hidden }))),
  ),
  { steps: 1024, batch: 16, input: 768, hidden: 768 },
];

/** Symbols of the character model. */
export const vocabularySize = 85;

/** In the order in which shapes are written: the number of layers only if there are several. */
export const sizesOf = ({ steps, batch, input, hidden, layers = 1 }: Shape): number[] => [
  steps,
  batch,
  input,
  hidden,
  ...(layers > 1 ? [layers] : []),
];

export const shapeName = (shape: Shape): string => sizesOf(shape).join("x");

/** "64x32x64x128": T x B x I x H; "1x1x128x128x3" has three layers. @throws Error if it is none */
export function parseShape(text: string): Shape {
  const sizes = text.split(/[x,]/).map(Number);
  if (sizes.length < 4 || sizes.length > 5 || !sizes.every((n) => Number.isInteger(n) && n >= 1 && n <= 8192)) {
    throw new Error(`"${text}" is no shape; write steps x batch x input x hidden, e.g. 64x32x64x128`);
  }
  const [steps, batch, input, hidden, layers = 1] = sizes;
  return { steps, batch, input, hidden, ...(layers > 1 ? { layers } : {}) };
}

/** What `--only` is matched with, together with the library's name. */
export const caseName = (c: Case): string => `${c.cell} ${shapeName(c)} ${c.mode}`;

/**
 * All cases in the order in which they are run: by shape, then cell, so that what a problem needs is made once.
 * @param shapes by default the usual ones, those of streams apart
 */
export function allCases(shapes?: readonly Shape[], wanted: { cells?: readonly Cell[]; modes?: readonly Mode[] } = {}): Case[] {
  const { cells: chosen = ["rnn", "gru", "lstm"], modes: how = modes } = wanted;
  const listed = how.filter((mode) => shapes !== undefined || mode !== "stream");
  const all = (shapes ?? defaultShapes).flatMap((shape) =>
    chosen.flatMap((cell) => listed.map((mode): Case => ({ ...shape, cell, mode }))),
  );
  if (listed.length < how.length) all.push(...defaultStreams.filter(({ cell }) => chosen.includes(cell)));
  // A text is drawn in one row, whatever the batch.
  const cases = all.map((of) => (of.mode === "generation" ? { ...of, batch: 1 } : of));
  return [...new Map(cases.map((of) => [caseName(of), of])).values()];
}

/** True if a stream's frames are single numbers, and its results too. */
export const isSound = ({ input }: Pick<Shape, "input">): boolean => input === 1;

export const gatesOf = (cell: Cell): number => ({ rnn: 1, gru: 3, lstm: 4, "gru-reset-before": 3 })[cell];

/** Floating-point operations of the matrix products; what is done element by element is left out. */
export function flopsOf({ steps: T, batch: B, input: I, hidden: H, layers = 1, cell, mode }: Case): number {
  const GH = gatesOf(cell) * H;
  const forward = 2 * (I + H) * GH;
  // Backward: dh through the recurrent weights, and the gradients of both weights. None for the input: nobody needs it.
  const training = forward + 2 * H * GH + 2 * (I + H) * GH;
  const logits = 2 * H * vocabularySize;
  switch (mode) {
    case "forward":
      return T * B * forward;
    case "training":
      return T * B * training;
    case "model":
      return T * B * (training + 2 * I * GH + 3 * logits);
    case "generation":
      return T * (forward + logits);
    case "stream":
      return T * B * (forward + (layers - 1) * 4 * H * GH + (isSound({ input: I }) ? 2 * H : 0));
  }
}
