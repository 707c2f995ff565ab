/** Numbers in nested lists of JSON, as tensors. */
import { clip } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { formatError, type Json } from "./imported.ts";

/** @throws RnnError `format` unless it is numbers in rows of equal lengths */
export function tensorOf(where: string, name: string, json: Json | undefined): Tensor {
  const shape: number[] = [];
  for (let level = json; Array.isArray(level); level = (level as readonly Json[])[0]) shape.push(level.length);
  const data: number[] = [];
  const walk = (value: Json | undefined, depth: number): void => {
    if (depth === shape.length && typeof value === "number") data.push(value);
    else if (depth < shape.length && Array.isArray(value) && value.length === shape[depth])
      for (const inner of value as readonly Json[]) walk(inner, depth + 1);
    else throw formatError(where, `${clip(name)} must be numbers in rows of equal lengths`);
  };
  walk(json, 0);
  if (shape.length === 0 || shape.length > 8) throw formatError(where, `${clip(name)} must be lists of numbers`);
  return { shape, data: Float32Array.from(data) };
}
