/** What a layer of an imported network is. */
import type { Variable } from "../../autodiff/tape.ts";
import type { Context } from "../../nn/context.ts";
import type { Module } from "../../nn/module.ts";
import type { LayerConfig } from "./config.ts";
import type { LayerArrays } from "./weights.ts";

/** A value on its way through the network. */
export interface Flow {
  readonly x: Variable;
  /** [batch, steps, 1]: 1 for the steps that count, 0 for the others; undefined if all do. */
  readonly mask?: Variable;
}

export interface Layer {
  /** What it became, in words for the report. */
  readonly became: string;
  /** What has its parameters, if it has any. */
  readonly module?: Module;
  /** Number of ids if its input is ids. */
  readonly idCount?: number;
  run(context: Context, inputs: readonly Flow[]): readonly Flow[];
}

/** Makes a layer of its description and its arrays. */
export type Builder = (layer: LayerConfig, arrays: LayerArrays, build: (inner: LayerConfig, arrays: LayerArrays) => Layer) => Layer;

/** A layer that works on one value and leaves its mask as it is. */
export const passing = (became: string, run: (context: Context, x: Variable) => Variable): Layer => ({
  became,
  run: (context, [{ x, mask }]) => [{ x: run(context, x), mask }],
});

/** A layer that works on one value whose mask ends there. */
export const ending = (became: string, run: (context: Context, x: Variable) => Variable): Layer => ({
  became,
  run: (context, [{ x }]) => [{ x: run(context, x) }],
});
