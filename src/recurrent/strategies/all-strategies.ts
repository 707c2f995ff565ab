/** Lists the strategies. */
import { loop } from "./loop.ts";
import { scan } from "./scan.ts";
import { step, wavefront } from "./step.ts";
import type { Strategy } from "./strategy.ts";

/**
 * All strategies by name. Without measured times the first one is chosen that can run a layer; "step" can run every
 * layer and comes last.
 */
export const strategies = { scan, loop, wavefront, step } satisfies Readonly<Record<string, Strategy>>;

/**
 * "loop": one dispatch for all time steps. "step": one dispatch a time step, or two for a cell with two phases.
 * "scan": one dispatch for all time steps, which are computed side by side. "wavefront": "step" for L stacked layers at
 * once, each one step behind the layer below: T+L-1 dispatches, not T·L.
 */
export type StrategyName = keyof typeof strategies;

export const strategyNames = Object.keys(strategies) as StrategyName[];
