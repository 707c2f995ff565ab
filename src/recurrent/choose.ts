/**
 * Chooses a strategy. The choice depends on three things only: the layer's shape, what each strategy refuses, and the
 * times measured on the device.
 */
import { RnnError } from "../errors.ts";
import type { Target } from "../recording/target.ts";
import { strategies, strategyNames, type StrategyName } from "./strategies/all-strategies.ts";
import type { LayerShape, Refusal, Strategy } from "./strategies/strategy.ts";

/**
 * The first strategy of the list is chosen whose predicted time is at most this multiple of the shortest. A short
 * measurement cannot tell so small a difference, and two calibrations of one device should choose alike: strategies add
 * in different orders, so the last digits of results differ.
 */
const margin = 1.1;

/** A choice and its reason. */
interface Choice {
  readonly layer: Required<LayerShape>;
  readonly strategy: StrategyName;
  /** Predicted times of all time steps, if the choice needs them and there is a profile. */
  readonly milliseconds?: Readonly<Record<StrategyName, number>>;
  readonly why: string;
}

const whole = ({
  phases = 1,
  lanes = 1,
  layers = 1,
  linear = false,
  heads = 1,
  half = false,
  regularized = "none",
  recomputes = false,
  ...rest
}: LayerShape): Required<LayerShape> => ({ phases, lanes, layers, linear, heads, half, regularized, recomputes, ...rest });

/** Returns why a strategy cannot run this layer on this target; undefined if it can. */
const refusalOf = (name: StrategyName, layer: Required<LayerShape>, target: Target): Refusal | undefined =>
  strategies[name].refusals.find((refusal) => refusal.applies(layer, target));

/**
 * Returns the strategy for one layer: the one asked for, or else the best. For a single layer, "wavefront" means
 * "step".
 * @throws RnnError `limit` if the strategy asked for refuses the layer
 */
export function strategyFor(label: string, asked: StrategyName | undefined, shape: LayerShape, target: Target): Strategy {
  const layer = whole(shape);
  const name = asked === undefined ? choiceFor(shape, target).strategy : asked === "wavefront" && layer.layers === 1 ? "step" : asked;
  if (strategies[name].isBroken(layer, target.avoided)) return strategies.step;
  const refusal = refusalOf(name, layer, target);
  if (refusal) {
    const remedy = choiceFor(shape, target).strategy;
    throw new RnnError("limit", label, `strategy "${name}" ${refusal.because(layer, target)}; use "${remedy}"`);
  }
  return strategies[name];
}

/** Whether stacked layers share their dispatches. They do if they can, and "wavefront" was asked for or is the best choice. */
export function takesWavefront(asked: StrategyName | undefined, shape: LayerShape, target: Target): boolean {
  if (refusalOf("wavefront", whole(shape), target)) return false;
  return asked === "wavefront" || (asked === undefined && choiceFor(shape, target).strategy === "wavefront");
}

/** The best strategy for a layer on this target. */
export function choiceFor(shape: LayerShape, target: Target): Choice {
  const layer = whole(shape);
  const { profile, stepTimes, avoided } = target;
  /** Why strategies are passed over. */
  const reasons: string[] = [];
  const able = strategyNames.filter((name) => {
    const refusal = refusalOf(name, layer, target);
    if (refusal) {
      if (refusal.isReason) reasons.push(`${name} ${refusal.because(layer, target)}`);
      return false;
    }
    if (!strategies[name].isBroken(layer, avoided)) return true;
    reasons.push(`the self-test found the ${name} wrong on this device`);
    return false;
  });
  const [first] = able;
  if (!strategies[first].cost) return { layer, strategy: first, why: strategies[first].advantage };
  if (!profile || !stepTimes) {
    const strategy = able.find((name) => {
      const why = strategies[name].defers?.(layer, target);
      if (why !== undefined) reasons.push(why);
      return why === undefined;
    })!;
    return { layer, strategy, why: `${reasons.length > 0 ? reasons.join("; ") : strategies[strategy].advantage}; no profile` };
  }
  const cost = (name: StrategyName): number => (able.includes(name) ? strategies[name].cost!(layer, profile, stepTimes) : Infinity);
  const milliseconds = Object.fromEntries(strategyNames.map((name) => [name, cost(name)])) as Record<StrategyName, number>;
  const least = Math.min(...Object.values(milliseconds));
  const predicted = able.map((name) => `${name} ${milliseconds[name].toPrecision(3)} ms`).join(", ");
  const strategy = able.find((name) => milliseconds[name] <= least * margin)!;
  return { layer, strategy, milliseconds, why: [`predicted: ${predicted}`, ...reasons].join("; ") };
}
