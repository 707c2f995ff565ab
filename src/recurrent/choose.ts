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

/** The answer of `explainStrategy`. */
export interface StrategyChoice {
  readonly strategy: StrategyName;
  /**
   * Predicted times of all time steps; Infinity for a strategy that cannot run the layer. Undefined without a profile,
   * or if the choice needs no times.
   */
  readonly milliseconds: Readonly<Record<StrategyName, number>> | undefined;
  /** The choice and its reason in a line. */
  readonly text: string;
}

const whole = ({
  phases = 1,
  lanes = 1,
  layers = 1,
  linear = false,
  regularized = "none",
  recomputes = false,
  ...rest
}: LayerShape): Required<LayerShape> => ({ phases, lanes, layers, linear, regularized, recomputes, ...rest });

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
    throw new RnnError("limit", label, `strategy "${name}" ${refusal.because(layer)}; use "${remedy}"`);
  }
  return strategies[name];
}

/** Whether stacked layers share their dispatches. They do if they can, and "wavefront" was asked for or is the best choice. */
export function takesWavefront(asked: StrategyName | undefined, shape: LayerShape, target: Target): boolean {
  if (refusalOf("wavefront", whole(shape), target)) return false;
  return asked === "wavefront" || (asked === undefined && choiceFor(shape, target).strategy === "wavefront");
}

/** The answer of `explainStrategy`, for checked arguments. */
export function choiceFor(shape: LayerShape, target: Target): StrategyChoice {
  const layer = whole(shape);
  const { profile, avoided } = target;
  /** Why strategies are passed over. */
  const reasons: string[] = [];
  const able = strategyNames.filter((name) => {
    const refusal = refusalOf(name, layer, target);
    if (refusal) {
      if (refusal.isReason) reasons.push(`${name} ${refusal.because(layer)}`);
      return false;
    }
    if (!strategies[name].isBroken(layer, avoided)) return true;
    reasons.push(`the self-test found the ${name} wrong on this device`);
    return false;
  });
  const choice = (strategy: StrategyName, why: string, milliseconds?: StrategyChoice["milliseconds"]): StrategyChoice => ({
    strategy,
    milliseconds,
    text: `${describe(layer)}: ${strategy} (${why})`,
  });
  const [first] = able;
  if (!strategies[first].cost) return choice(first, strategies[first].advantage);
  if (!profile) {
    const strategy = able.find((name) => {
      const why = strategies[name].defers?.(layer, target);
      if (why !== undefined) reasons.push(why);
      return why === undefined;
    })!;
    return choice(strategy, `${reasons.length > 0 ? reasons.join("; ") : strategies[strategy].advantage}; no profile`);
  }
  const cost = (name: StrategyName): number => (able.includes(name) ? strategies[name].cost!(layer, profile) : Infinity);
  const milliseconds = Object.fromEntries(strategyNames.map((name) => [name, cost(name)])) as Record<StrategyName, number>;
  const least = Math.min(...Object.values(milliseconds));
  const predicted = able.map((name) => `${name} ${milliseconds[name].toPrecision(3)} ms`).join(", ");
  const strategy = able.find((name) => milliseconds[name] <= least * margin)!;
  return choice(strategy, [`predicted: ${predicted}`, ...reasons].join("; "), milliseconds);
}

function describe({ T, B, H, G, phases, lanes, layers, linear, regularized, training }: Required<LayerShape>): string {
  const more = [
    ...(phases > 1 ? [`${phases} phases`] : []),
    ...(lanes > 1 ? [`${lanes} lanes`] : []),
    ...(layers > 1 ? [`${layers} layers`] : []),
    ...(linear ? ["linear"] : []),
    ...(regularized === "none" ? [] : [regularized === "row" ? "regularized" : "batch normalization"]),
    training ? "training" : "forward",
  ];
  return `T ${T}, B ${B}, H ${H}, G ${G}, ${more.join(", ")}`;
}
