// ONNX files that are damaged, or made to do harm: each gives an error of kind "format" that says what is wrong.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RnnError } from "webgpu-rnn";
import { importModel } from "webgpu-rnn/formats";
import { sampled } from "../thorough.ts";
import { onnxFile, type GraphParts, type NodeParts } from "./onnx-builder.ts";

const folder = join(import.meta.dirname, "../fixtures/models");
const files = ["lstm_charlm", "gru_classifier_last_bi", "lstm_bi_lens_states"].map((name) => ({
  name,
  bytes: Uint8Array.from(readFileSync(join(folder, `${name}.onnx`))),
}));

/** A generator of integers below `most`, from a seed. */
function draws(seed: number): (most: number) => number {
  let state = (seed + 1) * 2654435761;
  return (most) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

/** A file that is cut off, has other bytes, or a part of it twice or not at all. */
function damaged(bytes: Uint8Array, seed: number): Uint8Array<ArrayBuffer> {
  const below = draws(seed);
  const at = below(bytes.length);
  const end = Math.min(bytes.length, at + 1 + below(40));
  const join_ = (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> => Uint8Array.from(parts.flatMap((part) => [...part]));
  if (seed % 5 === 0) return bytes.slice(0, at);
  if (seed % 5 === 1) return join_(bytes.subarray(0, end), bytes.subarray(at));
  if (seed % 5 === 2) return join_(bytes.subarray(0, at), bytes.subarray(end));
  const copy = Uint8Array.from(bytes);
  const count = seed % 5 === 3 ? 1 : 1 + below(12);
  for (let i = 0; i < count; i++) copy[below(copy.length)] = below(4) === 0 ? 0xff : below(256);
  return copy;
}

/** The error of a file; undefined if it could be read. */
async function errorOf(bytes: Uint8Array): Promise<RnnError | undefined> {
  try {
    await importModel(bytes, { format: "onnx" });
    return undefined;
  } catch (error) {
    expect(error, String(error)).toBeInstanceOf(RnnError);
    expect((error as RnnError).kind, String(error)).toBe("format");
    return error as RnnError;
  }
}

describe("a damaged ONNX file", () => {
  it.each(files)("is read or refused, whatever has happened to it: $name", async ({ bytes }) => {
    let refused = 0;
    const seeds = sampled(
      Array.from({ length: 400 }, (_, i) => i),
      120,
    );
    for (const seed of seeds) if (await errorOf(damaged(bytes, seed))) refused++;
    expect(refused).toBeGreaterThan(seeds.length / 4);
  });
});

const relu = (input: string, output: string): NodeParts => ({ operator: "Relu", name: `to ${output}`, inputs: [input], outputs: [output] });
const one = { dims: [1], data: [1] };
const sizes = (...data: number[]): { dims: number[]; type: number; data: number[] } => ({ dims: [data.length], type: 7, data });

/** If inside If, so many of them. */
function nested(depth: number): GraphParts {
  const inner: GraphParts = depth === 0 ? { nodes: [relu("x", "y0")], outputs: ["y0"] } : nested(depth - 1);
  const branches = { then_branch: inner, else_branch: { nodes: [relu("x", "z")], outputs: ["z"] } };
  return { nodes: [{ operator: "If", inputs: ["c"], outputs: [`y${depth + 1}`], attributes: branches }], outputs: [`y${depth + 1}`] };
}

const harmful: Record<string, [GraphParts, RegExp, number?]> = {
  "nodes in a circle": [
    { nodes: [relu("b", "a"), relu("a", "b")], inputs: { x: [2] }, outputs: ["b"] },
    /node "to a" \(Relu\): .*it reads "b", which no node before it makes: its nodes are in a circle or out of order/,
  ],
  "an output that nothing makes": [{ nodes: [relu("x", "y")], inputs: { x: [2] }, outputs: ["z"] }, /its output "z" is made by no node/],
  "a tensor of 2^53 numbers": [
    { nodes: [relu("x", "y")], tensors: { w: { dims: [2 ** 53 - 1], data: [1] } }, inputs: { x: [2] }, outputs: ["y"] },
    /tensor "w" of \[9007199254740991\] would have more than 268435456 numbers/,
  ],
  "a tensor with fewer numbers than its shape": [
    { nodes: [relu("x", "y")], tensors: { w: { dims: [3, 5], data: [1, 2] } }, inputs: { x: [2] }, outputs: ["y"] },
    /tensor "w" of \[3, 5\] and type float needs 15 numbers, the file has 2/,
  ],
  "a constant of 2^40 numbers": [
    {
      nodes: [
        { operator: "ConstantOfShape", name: "huge", inputs: ["s"], outputs: ["c"] },
        { operator: "Add", inputs: ["x", "c"], outputs: ["y"] },
      ],
      tensors: { s: sizes(2 ** 40) },
      inputs: { x: [2] },
      outputs: ["y"],
    },
    /node "huge" \(ConstantOfShape\): .*more than 67108864 numbers in all/,
  ],
  "constants that double again and again": [
    {
      nodes: [
        ...Array.from({ length: 60 }, (_, i) => ({ operator: "Tile", inputs: [i === 0 ? "w" : `t${i}`, "two"], outputs: [`t${i + 1}`] })),
        { operator: "Add", inputs: ["x", "t60"], outputs: ["y"] },
      ],
      tensors: { w: one, two: sizes(2) },
      inputs: { x: [2] },
      outputs: ["y"],
    },
    /2 repeats of 1048576 elements are more than 1048576/,
  ],
  "a tile of 2^40 copies": [
    {
      nodes: [
        { operator: "Tile", name: "many", inputs: ["w", "n"], outputs: ["t"] },
        { operator: "Add", inputs: ["x", "t"], outputs: ["y"] },
      ],
      tensors: { w: one, n: sizes(2 ** 40) },
      inputs: { x: [2] },
      outputs: ["y"],
    },
    /node "many" \(Tile\)/,
  ],
  "graphs inside each other": [{ ...nested(60), inputs: { x: [2] }, tensors: { c: one } }, /nested more than 32 deep/],
  "an operator that is not known": [
    {
      nodes: [relu("x", "h"), { operator: "NonMaxSuppression", name: "boxes", inputs: ["h"], outputs: ["y"] }],
      inputs: { x: [2] },
      outputs: ["y"],
    },
    /^onnx: 1 of its 2 nodes cannot be read: node "boxes" \(NonMaxSuppression\): this operator is not supported$/,
  ],
  "an attribute that is not known": [
    {
      nodes: [{ operator: "Relu", name: "r", inputs: ["x"], outputs: ["y"], attributes: { slope: 0.5 } }],
      inputs: { x: [2] },
      outputs: ["y"],
    },
    /node "r" \(Relu\): attribute slope is not supported/,
  ],
  "a condition that an input decides": [
    {
      nodes: [
        {
          operator: "If",
          name: "which",
          inputs: ["x"],
          outputs: ["y"],
          attributes: {
            then_branch: { nodes: [relu("x", "a")], outputs: ["a"] },
            else_branch: { nodes: [relu("x", "b")], outputs: ["b"] },
          },
        },
      ],
      inputs: { x: [1] },
      outputs: ["y"],
    },
    /node "which" \(If\): .*its condition depends on the numbers of an input/,
  ],
  "a layer whose weights do not fit": [
    {
      nodes: [{ operator: "GRU", name: "rnn", inputs: ["x", "W", "R"], outputs: ["y"], attributes: { hidden_size: 2 } }],
      tensors: { W: { dims: [1, 6, 1], data: [1, 2, 3, 4, 5, 6] }, R: { dims: [1, 5, 2], data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] } },
      inputs: { x: [3, 1, 1] },
      outputs: ["y"],
    },
    /node "rnn" \(GRU\): .*W must be \[1, 6, inputs\] and R \[1, 6, 2\], got \[1, 6, 1\] and \[1, 5, 2\]/,
  ],
  "weights that are no numbers": [
    {
      nodes: [{ operator: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
      tensors: { w: { dims: [2, 1], data: [1, NaN] } },
      inputs: { x: [1, 2] },
      outputs: ["y"],
    },
    /"w"/,
  ],
  "operators of a version to come": [
    { nodes: [relu("x", "y")], inputs: { x: [2] }, outputs: ["y"] },
    /must be of opset 7 to 22, got 99/,
    99,
  ],
  "an integer input that is computed with": [
    { nodes: [{ operator: "Mul", name: "rate", inputs: ["ids", "ids"], outputs: ["y"] }], inputs: { ids: [1] }, outputs: ["y"] },
    /its input "ids" is integers that node "rate" \(Mul\) computes with; if it is always the same, give constants: \{ "ids": … \}/,
  ],
};

describe("an ONNX file that no program writes", () => {
  it.each(Object.keys(harmful))("is refused in words: %s", async (name) => {
    const [graph, message, opset] = harmful[name];
    const error = await errorOf(onnxFile(graph, opset));
    expect(error?.message).toMatch(message);
  });

  it("is refused if a constant names no input, as the caller's mistake", async () => {
    const bytes = onnxFile({ nodes: [relu("x", "y")], inputs: { x: [2] }, outputs: ["y"] });
    const error = await importModel(bytes, { constants: { z: 1 } }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).kind).toBe("option");
    expect((error as RnnError).message).toBe('importModel: constants names "z", which is no input of the graph; there are "x"');
  });
});
