/** Checks the sizes of a layer's arrays. */
import { show } from "../../errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { formatError } from "../imported.ts";
import { placeOf, where, type LayerConfig } from "./config.ts";

/** @throws RnnError `format` unless an array has these sizes */
export function checkArray(layer: LayerConfig, name: string, { shape }: Tensor, expected: readonly number[]): void {
  if (shape.length === expected.length && shape.every((size, i) => size === expected[i])) return;
  throw formatError(where, `${name} of ${placeOf(layer)} must be [${expected.join(", ")}], got ${show([...shape])}`);
}

/** A matrix's sizes. */
export function matrixSizes(layer: LayerConfig, name: string, { shape }: Tensor): [number, number] {
  if (shape.length !== 2 || shape.includes(0))
    throw formatError(where, `${name} of ${placeOf(layer)} must be a matrix, got ${show([...shape])}`);
  return [shape[0], shape[1]];
}
