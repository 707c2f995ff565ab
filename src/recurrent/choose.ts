/**
 * The choice between both ways to walk time (see `Strategy`): a pure function of the layer's shape, of what a
 * workgroup holds, and of what was measured on the device.
 *
 * A profile has microseconds per step of an LSTM layer on a grid of H units and B rows. In between, their logarithms
 * are interpolated along those of H and B; below the grid they stay what they are at its edge, since fixed costs rule
 * there; above it they go on as they rose last. Of an LSTM's step, what a step of one unit costs is taken as fixed
 * (dispatches, barriers), the rest as loads and products: one number of h and G weights for each pair of units.
 */
import { checkProfile, interpolate, profileVersion, type DeviceProfile } from "../kernels/device-profile.ts";
import { Avoided, checkSelfTest, type SelfTest } from "../kernels/self-test.ts";
import { checkBoolean, checkInteger } from "../errors.ts";
import { takeOptions } from "../options.ts";
import { mostLoopUnits } from "./kernels/loop.ts";

/** One dispatch for the whole time loop, or one (two-phase cells: two) for each step. */
export type Strategy = "loop" | "step";

/**
 * What may be asked for. "wavefront" is "step", where stacked layers share their dispatches: T+L-1 of them for L layers
 * instead of T·L. Layers that cannot (bidirectional
 * ones, with dropout between them, with two phases, on the CPU) take "step".
 */
export type StrategyOption = Strategy | "wavefront";

/**
 * So many times the step's predicted time the loop may take and still be chosen: what lies within the error of a short
 * measurement shall not make the choice, and the results' last digits, differ from one calibration to the next.
 */
const margin = 1.1;

/** A recurrent layer as far as its cost goes. */
export interface LayerShape {
  /** T steps, B rows of the batch, H units, G gates. */
  readonly T: number;
  readonly B: number;
  readonly H: number;
  readonly G: number;
  /** Dependent products in a step (default 1); 2 for the GRU with the reset before the product. */
  readonly phases?: number;
  /** Directions or layers walked at the same time (default 1). */
  readonly lanes?: number;
  /** Whether the backward pass follows. */
  readonly training: boolean;
}

/** What `explainStrategy` answers. */
export interface StrategyChoice {
  readonly strategy: Strategy;
  /** What the time loops are expected to take; undefined without a profile. `loop` is Infinity if it cannot hold the layer. */
  readonly milliseconds: Readonly<Record<Strategy, number>> | undefined;
  /** The choice and its reason in a line. */
  readonly text: string;
}

/**
 * The strategy for a layer of this shape. Without a profile: the loop where a workgroup can hold a layer, since a
 * dispatch costs more than a step of a small one computes. On the CPU, where there is no profile, that is never the
 * slower one.
 */
export function chooseStrategy(shape: LayerShape, profile: DeviceProfile | undefined, selfTest?: Pick<SelfTest, "failures">): Strategy {
  return explainStrategy(shape, profile, selfTest).strategy;
}

/**
 * What `chooseStrategy` answers, with the predicted times of both and a line for people.
 * @throws RnnError `option` for a shape that is none, `format` for a profile or self-test that others have made
 * @param selfTest `backend.selfTest`: a loop that it found wrong is not chosen
 */
export function explainStrategy(
  shape: LayerShape,
  profile: DeviceProfile | undefined,
  selfTest?: Pick<SelfTest, "failures">,
): StrategyChoice {
  const taken = takeOptions("strategy", shape, ["T", "B", "H", "G", "phases", "lanes", "training"], { needed: true });
  for (const name of ["T", "B", "H", "G"] as const) checkInteger("strategy", name, taken[name], 1);
  for (const name of ["phases", "lanes"] as const) checkInteger("strategy", name, taken[name] ?? 1, 1);
  checkBoolean("strategy", "training", taken.training);
  if (profile !== undefined) checkProfile("strategy", profile);
  if (selfTest !== undefined) checkSelfTest("strategy", selfTest);
  return choiceFor(taken, profile?.version === profileVersion ? profile : undefined, selfTest);
}

/** What `explainStrategy` answers, of arguments that are right. */
export function choiceFor(shape: LayerShape, profile: DeviceProfile | undefined, selfTest?: Pick<SelfTest, "failures">): StrategyChoice {
  const { T, B, H, G, phases = 1, lanes = 1, training } = shape;
  const what = `T ${T}, B ${B}, H ${H}, G ${G}${phases > 1 ? `, ${phases} phases` : ""}${lanes > 1 ? `, ${lanes} lanes` : ""}, ${training ? "training" : "forward"}`;
  const fits = H <= mostLoopUnits;
  if (selfTest && new Avoided(selfTest.failures).loop(phases))
    return { strategy: "step", milliseconds: undefined, text: `${what}: step (the self-test found the loop wrong on this device)` };
  if (!profile) {
    const reason = fits ? `at most ${mostLoopUnits} units fit a workgroup` : `more than the ${mostLoopUnits} units that fit a workgroup`;
    return {
      strategy: fits ? "loop" : "step",
      milliseconds: undefined,
      text: `${what}: ${fits ? "loop" : "step"} (${reason}; no profile)`,
    };
  }
  const milliseconds = { loop: fits ? predict(shape, "loop", profile) : Infinity, step: predict(shape, "step", profile) };
  const strategy = milliseconds.loop <= milliseconds.step * margin ? "loop" : "step";
  const loop = fits ? `${milliseconds.loop.toPrecision(3)} ms` : `cannot hold more than ${mostLoopUnits} units`;
  return { strategy, milliseconds, text: `${what}: ${strategy} (predicted: loop ${loop}, step ${milliseconds.step.toPrecision(3)} ms)` };
}

/** Milliseconds of all steps by one strategy. */
function predict({ T, B, H, G, phases = 1, lanes = 1, training }: LayerShape, strategy: Strategy, profile: DeviceProfile): number {
  // Kernels take rows by fours, or one alone.
  const rows = lanes * (B === 1 ? 1 : Math.ceil(B / 4) * 4);
  const loads = (G + 1) / 5;
  const step = (pass: "forward" | "backward"): number => {
    const fixed = profile.fixed[pass][strategy];
    const whole = interpolate(
      profile.units,
      profile[pass][strategy].map((times) => interpolate(profile.rows, times, rows)),
      H,
    );
    return phases * fixed + Math.max(0, whole - fixed) * loads;
  };
  return (T * (step("forward") + (training ? step("backward") : 0))) / 1000;
}
