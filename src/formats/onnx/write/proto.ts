/** Writes an ONNX file. Field numbers are those of onnx.proto. */
import { PbfWriter } from "../../parsers/protobuf-writer.ts";

/** Sizes of an input or output; a text stands for a size that is open. */
export type Sizes = readonly (number | string)[];

/** A type of elements by its name, or by ONNX' number. */
type ElementType = keyof typeof elementTypes | number;

export interface OnnxPort {
  readonly name: string;
  /** Undefined if it is not known. */
  readonly type: ElementType | undefined;
  /** Undefined if they are not known; an undefined size is open and has no name. */
  readonly sizes: readonly (number | string | undefined)[] | undefined;
}

export interface OnnxTensor {
  readonly name: string;
  readonly sizes: readonly number[];
  readonly data: TypedArray;
  /** Left out, it follows from the array: float or int64. */
  readonly type?: number;
}

type TypedArray =
  Float32Array | Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array;

/** An attribute by its kind: `i` an integer, `f` a number, `s` a text, `t` a tensor, lists of numbers and texts, or a graph. */
export type OnnxAttribute =
  | { readonly i: number }
  | { readonly f: number }
  | { readonly s: string }
  | { readonly t: OnnxTensor }
  | { readonly floats: readonly number[] }
  | { readonly ints: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly g: OnnxGraph };

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  /** "" for an input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly OnnxTensor[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

/** ONNX' numbers of types. */
const elementTypes = { float: 1, int32: 6, int64: 7, bool: 9 } as const;

const numberOf = (type: ElementType): number => (typeof type === "number" ? type : elementTypes[type]);

function writeTensor({ name, sizes, data, type }: OnnxTensor, pbf: PbfWriter): void {
  for (const size of sizes) pbf.writeVarintField(1, size);
  pbf.writeVarintField(2, type ?? (data instanceof Float32Array ? elementTypes.float : elementTypes.int64));
  pbf.writeStringField(8, name);
  pbf.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writePort({ name, type, sizes }: OnnxPort, pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  if (type === undefined) return;
  const dimension = (size: number | string | undefined, to: PbfWriter): void => {
    if (typeof size === "number") to.writeVarintField(1, size);
    else if (size !== undefined) to.writeStringField(2, size);
  };
  const shape = (all: NonNullable<OnnxPort["sizes"]>, to: PbfWriter): void => all.forEach((size) => to.writeMessage(1, dimension, size));
  const tensor = (_: null, to: PbfWriter): void => {
    to.writeVarintField(1, numberOf(type));
    if (sizes) to.writeMessage(2, shape, sizes);
  };
  pbf.writeMessage(2, (_: null, to) => to.writeMessage(1, tensor, null), null);
}

/** AttributeProto's field and type of each kind. */
const kinds = { f: [2, 1], i: [3, 2], s: [4, 3], t: [5, 4], g: [6, 5], floats: [7, 6], ints: [8, 7], strings: [9, 8] } as const;

function writeAttribute([name, value]: readonly [string, OnnxAttribute], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  const [kind] = Object.keys(value) as [keyof typeof kinds];
  const [field, type] = kinds[kind];
  if ("i" in value) pbf.writeVarintField(field, value.i);
  else if ("f" in value) pbf.writeFloatField(field, value.f);
  else if ("s" in value) pbf.writeStringField(field, value.s);
  else if ("t" in value) pbf.writeMessage(field, writeTensor, value.t);
  else if ("g" in value) pbf.writeMessage(field, writeGraph, value.g);
  else if ("floats" in value) pbf.writePackedFloat(field, [...value.floats]);
  else if ("ints" in value) pbf.writePackedVarint(field, [...value.ints]);
  else for (const text of value.strings) pbf.writeStringField(field, text);
  pbf.writeVarintField(20, type);
}

function writeNode({ name, operator, inputs, outputs, attributes }: OnnxNode, pbf: PbfWriter): void {
  for (const input of inputs) pbf.writeStringField(1, input);
  for (const output of outputs) pbf.writeStringField(2, output);
  pbf.writeStringField(3, name);
  pbf.writeStringField(4, operator);
  for (const entry of Object.entries(attributes)) pbf.writeMessage(5, writeAttribute, entry);
}

function writeGraph({ name, nodes, tensors, inputs, outputs }: OnnxGraph, pbf: PbfWriter): void {
  for (const node of nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, name);
  for (const tensor of tensors) pbf.writeMessage(5, writeTensor, tensor);
  for (const input of inputs) pbf.writeMessage(11, writePort, input);
  for (const output of outputs) pbf.writeMessage(12, writePort, output);
}

/** The version of the file format; every program that knows opset 17 reads it. */
const irVersion = 8;

export function encodeOnnx(graph: OnnxGraph, opset: number): Uint8Array<ArrayBuffer> {
  const pbf = new PbfWriter();
  pbf.writeVarintField(1, irVersion);
  pbf.writeStringField(2, "webgpu-rnn");
  pbf.writeMessage(7, writeGraph, graph);
  pbf.writeMessage(8, (version: number, to) => to.writeVarintField(2, version), opset);
  return pbf.finish().slice();
}
