/** Writes small ONNX files, also such that no program would write. Field numbers are those of onnx.proto. */
import { PbfWriter } from "pbf";

export type AttributeValue = number | string | { readonly floats: readonly number[] } | readonly number[] | GraphParts | TensorParts;

export interface TensorParts {
  readonly dims: readonly number[];
  /** ONNX' number of the type (default 1, float). */
  readonly type?: number;
  readonly data: readonly number[];
}

export interface NodeParts {
  readonly operator: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

export interface GraphParts {
  readonly nodes: readonly NodeParts[];
  readonly tensors?: Readonly<Record<string, TensorParts>>;
  /** Sizes of inputs by name; those named "ids…" are integers. */
  readonly inputs?: Readonly<Record<string, readonly (number | string)[]>>;
  readonly outputs: readonly string[];
}

function tensor(name: string, { dims, type = 1, data }: TensorParts, pbf: PbfWriter): void {
  for (const size of dims) {
    pbf.writeTag(1, 0);
    pbf.writeVarint(size);
  }
  pbf.writeTag(2, 0);
  pbf.writeVarint(type);
  pbf.writeTag(8, 2);
  pbf.writeString(name);
  if (type === 1) pbf.writePackedFloat(4, [...data]);
  else if (data.length > 0) pbf.writePackedVarint(7, [...data]);
}

function attribute([name, value]: readonly [string, AttributeValue], pbf: PbfWriter): void {
  pbf.writeTag(1, 2);
  pbf.writeString(name);
  const kind = (type: number): void => {
    pbf.writeTag(20, 0);
    pbf.writeVarint(type);
  };
  if (typeof value === "string") {
    pbf.writeTag(4, 2);
    pbf.writeString(value);
    kind(3);
  } else if (typeof value === "number" && Number.isInteger(value)) {
    pbf.writeTag(3, 0);
    pbf.writeVarint(value);
    kind(2);
  } else if (typeof value === "number") {
    pbf.writeTag(2, 5);
    pbf.writeFloat(value);
    kind(1);
  } else if (Array.isArray(value)) {
    pbf.writePackedVarint(8, [...(value as readonly number[])]);
    kind(7);
  } else if ("floats" in value) {
    pbf.writePackedFloat(7, [...value.floats]);
    kind(6);
  } else if ("data" in value) {
    pbf.writeMessage(5, (parts, inside) => tensor("", parts, inside), value);
    kind(4);
  } else {
    pbf.writeMessage(6, graph, value as GraphParts);
    kind(5);
  }
}

function node({ operator, name, inputs, outputs, attributes = {} }: NodeParts, pbf: PbfWriter): void {
  for (const [tag, names] of [
    [1, inputs],
    [2, outputs],
  ] as const)
    for (const one of names) {
      pbf.writeTag(tag, 2);
      pbf.writeString(one);
    }
  if (name !== undefined) {
    pbf.writeTag(3, 2);
    pbf.writeString(name);
  }
  pbf.writeTag(4, 2);
  pbf.writeString(operator);
  for (const entry of Object.entries(attributes)) pbf.writeMessage(5, attribute, entry);
}

function port([name, sizes]: readonly [string, readonly (number | string)[] | undefined], pbf: PbfWriter): void {
  pbf.writeTag(1, 2);
  pbf.writeString(name);
  if (!sizes) return;
  const dim = (size: number | string, inside: PbfWriter): void => {
    inside.writeTag(typeof size === "number" ? 1 : 2, typeof size === "number" ? 0 : 2);
    if (typeof size === "number") inside.writeVarint(size);
    else inside.writeString(size);
  };
  const shape = (all: readonly (number | string)[], inside: PbfWriter): void => all.forEach((size) => inside.writeMessage(1, dim, size));
  const type = (all: readonly (number | string)[], inside: PbfWriter): void => {
    inside.writeTag(1, 0);
    inside.writeVarint(name.startsWith("ids") ? 7 : 1);
    inside.writeMessage(2, shape, all);
  };
  pbf.writeMessage(2, (all, inside) => inside.writeMessage(1, type, all), sizes);
}

function graph({ nodes, tensors = {}, inputs = {}, outputs }: GraphParts, pbf: PbfWriter): void {
  for (const one of nodes) pbf.writeMessage(1, node, one);
  for (const [name, parts] of Object.entries(tensors)) pbf.writeMessage(5, (given, inside) => tensor(name, given, inside), parts);
  for (const entry of Object.entries(inputs)) pbf.writeMessage(11, port, entry);
  for (const name of outputs) pbf.writeMessage(12, port, [name, undefined] as const);
}

/** The bytes of a file with this graph. */
export function onnxFile(parts: GraphParts, opset = 17): Uint8Array<ArrayBuffer> {
  const pbf = new PbfWriter();
  pbf.writeTag(1, 0);
  pbf.writeVarint(8);
  pbf.writeMessage(7, graph, parts);
  pbf.writeMessage(
    8,
    (version, inside) => {
      inside.writeTag(2, 0);
      inside.writeVarint(version);
    },
    opset,
  );
  return Uint8Array.from(pbf.finish());
}
