/** What ops choose by the profile that `calibrate` has measured on the device. Loaded where there is one. */
import type { DeviceProfile } from "../../kernels/device-profile.ts";
import { strategyNames, type StrategyName } from "./all-strategies.ts";
import { interpolate, predictedMilliseconds } from "./cost.ts";
import type { LayerShape } from "./strategy.ts";

/**
 * The choice is the first strategy of the list whose predicted time is at most this multiple of the shortest. A short
 * measurement cannot tell so small a difference, and two calibrations of one device should choose alike: strategies add
 * in different orders, so the last digits of results differ.
 */
const margin = 1.1;

type Cost = (layer: Required<LayerShape>, profile: DeviceProfile) => number;

/** The milliseconds of all time steps of the strategies among which times decide; one that comes first has none. */
const costs: Partial<Readonly<Record<StrategyName, Cost>>> = {
  // Kernels of regularized layers do not share weights among four rows: they need as many workgroups as four times the rows.
  loop: (layer, profile) => predictedMilliseconds(layer.regularized === "none" ? layer : { ...layer, B: 4 * layer.B }, "loop", profile),
  wavefront: (layer, profile) =>
    predictedMilliseconds({ ...layer, T: layer.T + layer.layers - 1, lanes: layer.layers, layers: 1 }, "step", profile),
  // A regularized step has two dispatches: one for the product, one for the rest.
  step: (layer, profile) =>
    predictedMilliseconds(layer.regularized === "none" ? layer : { ...layer, phases: 2 * layer.phases }, "step", profile),
};

export class Measured {
  constructor(private readonly profile: DeviceProfile) {}

  /** Whether threads should share K in a product with so many 4 x 4 blocks in C; false beyond the largest C that was measured. */
  splitPays(count: number): boolean {
    const { blocks, whole, split } = this.profile.products;
    return count <= blocks[blocks.length - 1] && interpolate(blocks, split, count) < interpolate(blocks, whole, count);
  }

  /** The fastest strategy of those that are able, with the times of all (Infinity if unable), and in words. */
  fastest(
    able: readonly StrategyName[],
    layer: Required<LayerShape>,
  ): { strategy: StrategyName; milliseconds: Readonly<Record<StrategyName, number>>; predicted: string } {
    const cost = (name: StrategyName): number => (able.includes(name) ? costs[name]?.(layer, this.profile) : undefined) ?? Infinity;
    const milliseconds = Object.fromEntries(strategyNames.map((name) => [name, cost(name)])) as Record<StrategyName, number>;
    const least = Math.min(...Object.values(milliseconds));
    const predicted = able.map((name) => `${name} ${milliseconds[name].toPrecision(3)} ms`).join(", ");
    return { strategy: able.find((name) => milliseconds[name] <= least * margin)!, milliseconds, predicted };
  }
}
