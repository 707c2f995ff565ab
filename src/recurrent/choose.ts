/**
 * Chooses a strategy. The choice depends on the layer's shape, what each strategy refuses, which kernels the self-test found
 * wrong, and the time of a step: measured on the device, or estimated for a GPU.
 */
import { RnnError } from "../errors.ts";
import type { Target } from "../recording/target.ts";
import { strategies, strategyNames, type StrategyName } from "./strategies/all-strategies.ts";
import type { LayerShape, Refusal, Strategy } from "./strategies/strategy.ts";

/** A choice and its reason. */
interface Choice {
  readonly layer: Required<LayerShape>;
  readonly strategy: StrategyName;
  /** Predicted times of all time steps, if the choice needs them and there is a profile. */
  readonly milliseconds?: Readonly<Record<StrategyName, number>>;
  readonly why: string;
}

const withDefaults = ({
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
  const layer = withDefaults(shape);
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
  if (refusalOf("wavefront", withDefaults(shape), target)) return false;
  return asked === "wavefront" || (asked === undefined && choiceFor(shape, target).strategy === "wavefront");
}

/** The best strategy for a layer on this target. */
export function choiceFor(shape: LayerShape, target: Target): Choice {
  const layer = withDefaults(shape);
  const { measured, avoided } = target;
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
  if (strategies[first].comesFirst) return { layer, strategy: first, why: strategies[first].advantage };
  if (!measured) {
    const strategy = able.find((name) => {
      const why = strategies[name].defers?.(layer, target);
      if (why !== undefined) reasons.push(why);
      return why === undefined;
    })!;
    return { layer, strategy, why: `${reasons.length > 0 ? reasons.join("; ") : strategies[strategy].advantage}; no profile` };
  }
  const { strategy, milliseconds, predicted } = measured.fastest(able, layer);
  return { layer, strategy, milliseconds, why: [`predicted: ${predicted}`, ...reasons].join("; ") };
}
