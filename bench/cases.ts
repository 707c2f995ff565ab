/** What can be measured: cells, shapes and modes, and the arithmetic that each needs. */

/** `gru` resets after the recurrent product (PyTorch, cuDNN); `gru-reset-before` before it (the paper, tfjs, ONNX' default). */
export const cells = ["rnn", "gru", "lstm", "gru-reset-before"] as const;
export type Cell = (typeof cells)[number];

/**
 * - `forward`: one layer, from a host array to a host array
 * - `training`: one layer alone: forward, L = mean (y - target)², gradients of all weights, an SGD update. The same in every library
 * - `model`: a training step of a whole character model of ours: embedding, layer, logits, cross-entropy, BPTT, clip, Adam
 * - `generation`: `steps` tokens drawn one after the other from that model
 */
export const modes = ["forward", "training", "model", "generation"] as const;
export type Mode = (typeof modes)[number];

export interface Shape {
  readonly steps: number;
  readonly batch: number;
  readonly input: number;
  readonly hidden: number;
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

/** Microseconds per step on a GPU, as papers give them: input as wide as the layer. The last is FlashRNN's. */
export const gridShapes: readonly Shape[] = [
  ...[64, 128, 256, 512, 1024].flatMap((hidden) =>
    [1, 16, 32, 64].flatMap((batch) => [32, 100, 512].map((steps) => ({ steps, batch, input: hidden, hidden }))),
  ),
  { steps: 1024, batch: 16, input: 768, hidden: 768 },
];

/** Symbols of the character model. */
export const vocabularySize = 85;

export const shapeName = ({ steps, batch, input, hidden }: Shape): string => `${steps}x${batch}x${input}x${hidden}`;

/** "64x32x64x128": T x B x I x H. @throws Error if it is none */
export function parseShape(text: string): Shape {
  const sizes = text.split(/[x,]/).map(Number);
  if (sizes.length !== 4 || !sizes.every((n) => Number.isInteger(n) && n >= 1 && n <= 8192)) {
    throw new Error(`"${text}" is no shape; write steps x batch x input x hidden, e.g. 64x32x64x128`);
  }
  const [steps, batch, input, hidden] = sizes;
  return { steps, batch, input, hidden };
}

/** What `--only` is matched with, together with the library's name. */
export const caseName = (c: Case): string => `${c.cell} ${shapeName(c)} ${c.mode}`;

/** All cases in the order in which they are run: by shape, then cell, so that what a problem needs is made once. */
export function allCases(
  shapes: readonly Shape[] = defaultShapes,
  wanted: { cells?: readonly Cell[]; modes?: readonly Mode[] } = {},
): Case[] {
  const { cells: chosen = ["rnn", "gru", "lstm"], modes: how = modes } = wanted;
  const all = shapes.flatMap((shape) => chosen.flatMap((cell) => how.map((mode) => ({ ...shape, cell, mode }))));
  // A text is drawn in one row, whatever the batch.
  const cases = all.map((of) => (of.mode === "generation" ? { ...of, batch: 1 } : of));
  return [...new Map(cases.map((of) => [caseName(of), of])).values()];
}

export const gatesOf = (cell: Cell): number => ({ rnn: 1, gru: 3, lstm: 4, "gru-reset-before": 3 })[cell];

/** Floating-point operations of the matrix products; what is done element by element is left out. */
export function flopsOf({ steps: T, batch: B, input: I, hidden: H, cell, mode }: Case): number {
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
  }
}
