/** WGSL of layers with normalisation, zoneout or recurrent dropout. */
import noReadOut from "../../../../shaders/lib/no-read-out.wgsl";
import regularizedLib from "../../../../shaders/lib/regularized.wgsl";
import regularizedGradientLib from "../../../../shaders/lib/regularized-gradient.wgsl";
import runningStatistics from "../../../../shaders/lib/running-statistics.wgsl";
import regularizedBackward from "../../../../shaders/strategies/regularized-backward.wgsl";
import regularizedForward from "../../../../shaders/strategies/regularized-forward.wgsl";

export const shaders: Readonly<Record<string, string>> = {
  "lib/no-read-out": noReadOut,
  "lib/regularized": regularizedLib,
  "lib/regularized-gradient": regularizedGradientLib,
  "lib/running-statistics": runningStatistics,
  "strategies/regularized-backward": regularizedBackward,
  "strategies/regularized-forward": regularizedForward,
};
