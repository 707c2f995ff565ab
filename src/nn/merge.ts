import { combined } from "../autodiff/elementwise.ts";
import { concat } from "../autodiff/parts.ts";
import type { Variable } from "../autodiff/tape.ts";
import type { Context } from "./context.ts";

/**
 * How the outputs of both directions are merged, by Keras' names: "concat" [.., 2·H], the forward direction first;
 * "sum", "mul" (element by element) and "average" [.., H]; "none" [.., 2, H], both separate, so that a user's module
 * can multiply each with a different matrix. Between stacked layers, "none" acts like "concat".
 */
export type Merge = "concat" | "sum" | "mul" | "average" | "none";

/** Merges the outputs [.., H] of both directions; "none" acts like "concat" here. */
export function mergeDirections(context: Context, [forwards, backwards]: readonly Variable[], merge: Merge): Variable {
  const { tape } = context;
  const { shape } = forwards;
  const label = context.label("both");
  if (merge === "concat" || merge === "none") return concat(tape, label, [forwards, backwards], shape.length - 1);
  const both = combined(tape, label, merge === "mul" ? "multiply" : "add", forwards, backwards, shape);
  if (merge !== "average") return both;
  const half = tape.leaf(`${label}.half`, tape.recording.buffer(`${label}.half`, [1], "constant", "f32", Float64Array.of(0.5)));
  return combined(tape, context.label("average"), "multiply", both, half, shape);
}
