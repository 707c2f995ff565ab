import { combined } from "../ops/elementwise.ts";
import { concat } from "../ops/layout.ts";
import type { Variable } from "../ops/tape.ts";
import type { Context } from "./context.ts";

/**
 * What becomes of both directions' outputs, by Keras' names: "concat" [.., 2·H] side by side, forwards first; "sum",
 * "mul" (element by element) and "average" [.., H]; "none" [.., 2, H], both by themselves, so that a module of one's own
 * can give each its own matrix. Between stacked layers "none" is "concat".
 */
export type Merge = "concat" | "sum" | "mul" | "average" | "none";

/** Outputs [.., H] of both directions as one; of "none" as of "concat". */
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
