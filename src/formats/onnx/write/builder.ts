/** Puts an ONNX graph together. */
import { RnnError } from "../../../errors.ts";
import type { FloatArray } from "../../../tensor/tensor.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxPort, OnnxTensor, Sizes } from "./proto.ts";

/** A value of the graph, with its sizes. */
export interface Wire {
  readonly name: string;
  readonly sizes: Sizes;
}

/** Throws the error about a module that ONNX cannot hold, by its path. */
export function refuse(path: string, kind: string, what: string): never {
  throw new RnnError("option", "exportOnnx", `${path === "" ? "the model" : `"${path.slice(0, -1)}"`} (${kind}): ${what}`);
}

export class Builder {
  private readonly nodes: OnnxNode[] = [];
  private readonly tensors = new Map<string, OnnxTensor>();
  readonly inputs: OnnxPort[] = [];
  readonly outputs: OnnxPort[] = [];

  /** @param parameters values by path */
  constructor(
    readonly parameters: ReadonlyMap<string, FloatArray>,
    readonly opset: number,
    /** How often each name was asked for; graphs inside share it, because they see the names outside. */
    private readonly counts = new Map<string, number>(),
  ) {}

  /** A name that nothing else has. */
  private unique(stem: string): string {
    const count = (this.counts.get(stem) ?? 0) + 1;
    this.counts.set(stem, count);
    return count === 1 ? stem : `${stem}_${count}`;
  }

  /** Adds a node with several outputs; returns their names. */
  nodeOf(path: string, operator: string, inputs: readonly string[], outputs: number, attributes: OnnxNode["attributes"] = {}): string[] {
    const name = this.unique(path + operator);
    const made = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? `${name}.y` : `${name}.y${i}`));
    this.nodes.push({ name, operator, inputs, outputs: made, attributes });
    return made;
  }

  /** Adds a node; returns the name of its output. */
  node(path: string, operator: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): string {
    return this.nodeOf(path, operator, inputs, 1, attributes)[0];
  }

  /** Adds a tensor of numbers; returns its name. */
  numbers(name: string, sizes: readonly number[], data: FloatArray): string {
    this.tensors.set(name, { name, sizes, data: Float32Array.from(data) });
    return name;
  }

  number(value: number): string {
    return this.numbers(`number.${value}`, [], Float32Array.of(value));
  }

  /** A list of integers as a tensor. */
  integers(values: readonly number[]): string {
    const name = `integers.${values.join("_")}`;
    this.tensors.set(name, { name, sizes: [values.length], data: BigInt64Array.from(values, BigInt) });
    return name;
  }

  /** An integer as a tensor without axes. */
  integer(value: number): string {
    const name = `integer.${value}`;
    this.tensors.set(name, { name, sizes: [], data: BigInt64Array.of(BigInt(value)) });
    return name;
  }

  parameter(path: string): FloatArray {
    return this.parameters.get(path)!;
  }

  /** A graph inside a node, which sees the values of this one. */
  inner(): Builder {
    return new Builder(this.parameters, this.opset, this.counts);
  }

  transposed(path: string, { name, sizes }: Wire, axes: readonly number[]): Wire {
    return { name: this.node(path, "Transpose", [name], { perm: { ints: axes } }), sizes: axes.map((axis) => sizes[axis]) };
  }

  /** The element at `index` of an axis, which is then gone. */
  at(path: string, { name, sizes }: Wire, axis: number, index: number): Wire {
    return {
      name: this.node(path, "Gather", [name, this.integer(index)], { axis: { i: axis } }),
      sizes: sizes.filter((_, i) => i !== axis),
    };
  }

  /** Makes a value an output of the graph, under a name of its own. */
  finish(path: string, from: string, port: OnnxPort): void {
    this.nodes.push({ name: this.unique(`${path}Identity`), operator: "Identity", inputs: [from], outputs: [port.name], attributes: {} });
    this.outputs.push(port);
  }

  graph(name: string): OnnxGraph {
    return { name, nodes: this.nodes, tensors: [...this.tensors.values()], inputs: this.inputs, outputs: this.outputs };
  }
}
