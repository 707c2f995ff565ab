/** What the time steps of a layer are expected to take, from what `calibrate` has measured on the device. */
import { interpolate, type DeviceProfile } from "../../kernels/device-profile.ts";
import type { LayerShape } from "./strategy.ts";

/**
 * Milliseconds of all steps, the layers of a stack one after the other. A profile has microseconds per step of an LSTM
 * layer on a grid of H units and B rows. Between its points, logarithms of time are interpolated along those of H and B; below the grid they stay at its edge, since fixed
 * costs dominate there; above it they rise on as they rose last. A step of one unit gives the fixed cost (dispatches,
 * barriers); the rest are loads and products, one number of h and G weights for each pair of units.
 */
export function predictedMilliseconds(
  { T, B, H, G, phases, lanes, layers, training }: Required<LayerShape>,
  kernels: "loop" | "step",
  profile: DeviceProfile,
): number {
  // Kernels take rows by fours, or one alone.
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
