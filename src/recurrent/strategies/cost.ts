/** Predicts the time of a layer's time steps from the profile that `calibrate` has measured on the device. */
import type { DeviceProfile } from "../../kernels/device-profile.ts";
import type { LayerShape } from "./strategy.ts";

/** Interpolates at `x` between the points (xs, ys), xs ascending: straight lines between logarithms. */
export function interpolate(xs: readonly number[], ys: readonly number[], x: number): number {
  if (x <= xs[0] || xs.length === 1) return ys[0];
  const after = xs.findIndex((one, i) => i > 0 && x <= one);
  const i = after < 0 ? xs.length - 1 : after;
  const slope = Math.log(ys[i] / ys[i - 1]) / Math.log(xs[i] / xs[i - 1]);
  // Past the end, times must not fall, even if noise made the last one smaller.
  return ys[i] * (x / xs[i]) ** (after < 0 ? Math.max(0, slope) : slope);
}

/**
 * Returns the milliseconds of all steps; the layers of a stack run one after the other. A profile has microseconds per
 * step of an LSTM layer, on a grid of H units and B rows. Between its points, the logarithm of time is interpolated
 * along those of H and B. Below the grid, time stays as at the edge, since fixed costs dominate there. Above it, time
 * rises on at its last rate. A step of one unit gives the fixed cost (dispatches, barriers). The rest is loads and
 * products: one number of h and G weights for each pair of units.
 */
export function predictedMilliseconds(
  { T, B, H, G, phases, lanes, layers, training }: Required<LayerShape>,
  kernels: "loop" | "step",
  profile: DeviceProfile,
): number {
  // Kernels compute four rows at a time, or one alone.
  const rows = lanes * (B === 1 ? 1 : Math.ceil(B / 4) * 4);
  const loads = (G + 1) / 5;
  const step = (pass: "forward" | "backward"): number => {
    const fixed = profile.fixed[pass][kernels];
    const whole = interpolate(
      profile.units,
      profile[pass][kernels].map((times) => interpolate(profile.rows, times, rows)),
      H,
    );
    return phases * fixed + Math.max(0, whole - fixed) * loads;
  };
  return (layers * T * (step("forward") + (training ? step("backward") : 0))) / 1000;
}
