/**
 * Chooses a strategy. The choice depends on three things only: the layer's shape, what each strategy refuses, and the
 * times measured on the device.
 */
import { RnnError } from "../errors.ts";
import type { Target } from "../recording/target.ts";
import { loop } from "./strategies/loop.ts";
import { scan } from "./strategies/scan.ts";
import { step, wavefront } from "./strategies/step.ts";
import type { LayerShape, Strategy, StrategyName } from "./strategies/strategy.ts";

/** All strategies by name, in the order in which texts list them. */
export const strategies: Readonly<Record<StrategyName, Strategy>> = { scan, loop, step, wavefront };
export const strategyNames = Object.keys(strategies) as StrategyName[];

/**
 * The loop is chosen if its predicted time is at most this multiple of the step's. A short measurement cannot tell so
 * small a difference, and two calibrations of one device should choose alike: strategies add in different orders, so
 * the last digits of results differ.
 */
const margin = 1.1;

/** The answer of `explainStrategy`. */
export interface StrategyChoice {
  readonly strategy: StrategyName;
  /**
   * Predicted times of all time steps; Infinity for a strategy that refuses the layer. Undefined without a profile, or
   * if the choice needs no times.
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

/** Returns why a strategy cannot run this layer on this target, worded to follow its name; undefined if it can. */
export function refusalOf(name: StrategyName, shape: LayerShape, target: Target): string | undefined {
  const layer = whole(shape);
  return strategies[name].refusals.find((refusal) => refusal.applies(layer, target))?.because(layer);
}

/**
 * Returns the strategy for one layer: the one asked for, or else the best. For a single layer, "wavefront" means
 * "step".
 * @throws RnnError `limit` if the strategy asked for refuses the layer
 */
export function strategyFor(label: string, asked: StrategyName | undefined, shape: LayerShape, target: Target): Strategy {
  const name =
    asked === undefined ? choiceFor(shape, target).strategy : asked === "wavefront" && whole(shape).layers === 1 ? "step" : asked;
  const strategy = strategies[name];
  if (strategy.isBroken(whole(shape), target.avoided)) return step;
  const refusal = refusalOf(name, shape, target);
  if (refusal !== undefined) {
    const remedy = choiceFor(shape, target).strategy;
    throw new RnnError("limit", label, `strategy "${name}" ${refusal}; use "${remedy}"`);
  }
  return strategy;
}

/** Whether stacked layers share their dispatches. They do if they can, and "wavefront" was asked for or is the best choice. */
export function takesWavefront(asked: StrategyName | undefined, shape: LayerShape, target: Target): boolean {
  if (refusalOf("wavefront", shape, target) !== undefined) return false;
  return asked === "wavefront" || (asked === undefined && choiceFor(shape, target).strategy === "wavefront");
}

/** The answer of `explainStrategy`, for checked arguments. */
export function choiceFor(shape: LayerShape, target: Target): StrategyChoice {
  const layer = whole(shape);
  const { profile, avoided } = target;
  const [canScan, avoidsScan] = [refusalOf("scan", layer, target) === undefined, scan.isBroken(layer, avoided)];
  const what = `${describe(layer)}${canScan && avoidsScan ? ", without the scan that the self-test found wrong" : ""}`;
  if (canScan && !avoidsScan) return { strategy: "scan", milliseconds: undefined, text: `${what}: scan (computes the steps side by side)` };
  /** "wavefront" if the layers of a stack can share their steps, else "step". */
  const steps = (): StrategyName => (refusalOf("wavefront", layer, target) === undefined ? "wavefront" : "step");
  if (loop.isBroken(layer, avoided)) {
    const strategy = steps();
    return { strategy, milliseconds: undefined, text: `${what}: ${strategy} (the self-test found the loop wrong on this device)` };
  }
  const refusal = refusalOf("loop", layer, target);
  if (!profile) {
    // On the CPU the product between two steps of a regularized layer runs in WebAssembly.
    const prefersStep = target.kind === "cpu" && layer.regularized !== "none";
    const strategy = refusal !== undefined || prefersStep ? steps() : "loop";
    const reason = refusal !== undefined ? `loop ${refusal}` : prefersStep ? "the CPU has fast products" : "one dispatch for all steps";
    return { strategy, milliseconds: undefined, text: `${what}: ${strategy} (${reason}; no profile)` };
  }
  const cost = (name: StrategyName): number =>
    refusalOf(name, layer, target) === undefined ? strategies[name].cost!(layer, profile) : Infinity;
  const milliseconds = { scan: Infinity, loop: cost("loop"), step: cost("step"), wavefront: cost("wavefront") };
  const byStep = milliseconds.wavefront < milliseconds.step ? "wavefront" : "step";
  const strategy = milliseconds.loop <= milliseconds[byStep] * margin ? "loop" : byStep;
  const predicted = strategyNames
    .filter((name) => milliseconds[name] < Infinity)
    .map((name) => `${name} ${milliseconds[name].toPrecision(3)} ms`);
  const refused = refusal === undefined ? "" : `; loop ${refusal}`;
  return { strategy, milliseconds, text: `${what}: ${strategy} (predicted: ${predicted.join(", ")}${refused})` };
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
