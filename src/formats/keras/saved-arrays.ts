/** Arrays of a Keras model whose parameters a file of this package holds: they leave only their shapes. */
import { checkRoom } from "../../nn/parameter.ts";
import { sizeOf, type Shape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { formatError } from "../imported.ts";
import { where, type LayerConfig } from "./config.ts";
import type { LayerArrays } from "./weights.ts";

/** Passes arrays on and keeps their shapes, in the order in which layers take them. */
export class NotedArrays implements LayerArrays {
  constructor(
    private readonly arrays: LayerArrays,
    readonly shapes: Shape[] = [],
  ) {}

  take(layer: LayerConfig, names: readonly string[]): Tensor[] {
    const taken = this.arrays.take(layer, names);
    this.shapes.push(...taken.map(({ shape }) => [...shape]));
    return taken;
  }

  inner(name: Parameters<LayerArrays["inner"]>[0]): LayerArrays {
    return new NotedArrays(this.arrays.inner(name), this.shapes);
  }

  parts(layers: readonly LayerConfig[], list?: "layers" | "cells"): LayerArrays[] {
    return this.arrays.parts(layers, list).map((arrays) => new NotedArrays(arrays, this.shapes));
  }

  finish(layer: Pick<LayerConfig, "kind" | "name">): void {
    this.arrays.finish(layer);
  }
}

/** Zeros of these shapes, in the same order. */
export class ZeroArrays implements LayerArrays {
  private taken = 0;

  constructor(private readonly shapes: readonly Shape[]) {}

  take(_: LayerConfig, names: readonly string[]): Tensor[] {
    return names.map((name) => {
      const shape = this.shapes.at(this.taken++);
      if (!Array.isArray(shape)) throw formatError(where, `it lacks the shape of ${name}`);
      const size = sizeOf(shape as Shape);
      checkRoom(size);
      return { shape: shape as Shape, data: new Float32Array(size) };
    });
  }

  inner(): LayerArrays {
    return this;
  }

  parts(layers: readonly LayerConfig[]): LayerArrays[] {
    return layers.map(() => this);
  }

  finish(): void {
    // Which arrays there are has been checked when the model was imported.
  }
}
