/** Tells apps which strategy a layer gets, and why. */
import { checkBoolean, checkChoice, checkInteger } from "../errors.ts";
import { profileVersion, type DeviceProfile } from "../kernels/device-profile.ts";
import { Avoided, nothingAvoided, type SelfTest } from "../kernels/self-test.ts";
import { checkProfile, checkSelfTest } from "../kernels/stored.ts";
import { takeOptions } from "../options.ts";
import { choiceFor } from "./choose.ts";
import type { StrategyName } from "./strategies/all-strategies.ts";
import { Measured } from "./strategies/measured.ts";
import { stepTimes } from "./strategies/step-times.ts";
import type { LayerShape } from "./strategies/strategy.ts";

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

/**
 * Chooses the strategy for a layer of this shape on a GPU. Without a profile, it is the scan or the loop if these can run
 * the layer, unless the loop would read so many weights in each step that an estimate says that steps take less time.
 * @param mostThreads `backend.mostThreads`; the default is what every device has
 */
export function chooseStrategy(
  shape: LayerShape,
  profile: DeviceProfile | undefined,
  selfTest?: Pick<SelfTest, "failures">,
  mostThreads?: number,
): StrategyName {
  return explainStrategy(shape, profile, selfTest, mostThreads).strategy;
}

/**
 * Returns the strategy that `chooseStrategy` takes, the predicted times, and a line that gives the reason.
 * @throws RnnError `option` for a shape with wrong values, `format` for a profile or self-test from elsewhere
 * @param selfTest `backend.selfTest`: a strategy with a kernel that it found wrong is not chosen
 * @param mostThreads `backend.mostThreads`; the default is what every device has
 */
export function explainStrategy(
  shape: LayerShape,
  profile: DeviceProfile | undefined,
  selfTest?: Pick<SelfTest, "failures">,
  mostThreads = 256,
): StrategyChoice {
  const names = [
    "T",
    "B",
    "H",
    "G",
    "phases",
    "lanes",
    "layers",
    "heads",
    "linear",
    "half",
    "regularized",
    "recomputes",
    "training",
  ] as const;
  const taken = takeOptions("strategy", shape, names, { needed: true });
  for (const name of ["T", "B", "H", "G"] as const) checkInteger("strategy", name, taken[name], 1);
  for (const name of ["phases", "lanes", "layers", "heads"] as const) checkInteger("strategy", name, taken[name] ?? 1, 1);
  checkChoice("strategy", "regularized", taken.regularized ?? "none", ["none", "row", "batch"]);
  for (const name of ["linear", "half", "recomputes"] as const) checkBoolean("strategy", name, taken[name] ?? false);
  checkBoolean("strategy", "training", taken.training);
  if (profile !== undefined) checkProfile("strategy", profile);
  if (selfTest !== undefined) checkSelfTest("strategy", selfTest);
  checkInteger("strategy", "mostThreads", mostThreads, 256);
  const { layer, strategy, milliseconds, why } = choiceFor(taken, {
    kind: "webgpu",
    isGpu: true,
    mostThreads,
    mostElements: Infinity,
    stepTimes,
    measured: profile?.version === profileVersion ? new Measured(profile) : undefined,
    avoided: selfTest ? new Avoided(selfTest.failures) : nothingAvoided,
  });
  return { strategy, milliseconds, text: `${describe(layer)}: ${strategy} (${why})` };
}

function describe({ T, B, H, G, phases, lanes, layers, heads, linear, half, regularized, training }: Required<LayerShape>): string {
  const more = [
    ...(phases > 1 ? [`${phases} phases`] : []),
    ...(lanes > 1 ? [`${lanes} lanes`] : []),
    ...(layers > 1 ? [`${layers} layers`] : []),
    ...(heads > 1 ? [`${heads} heads`] : []),
    ...(linear ? ["linear"] : []),
    ...(half ? ["half precision"] : []),
    ...(regularized === "none" ? [] : [regularized === "row" ? "regularized" : "batch normalization"]),
    training ? "training" : "forward",
  ];
  return `T ${T}, B ${B}, H ${H}, G ${G}, ${more.join(", ")}`;
}
