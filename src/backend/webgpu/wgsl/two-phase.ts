/** WGSL of cells with two phases in each step. */
import cellGruResetBefore from "../../../../shaders/cells/gru-reset-before.wgsl";
import twoPhaseLib from "../../../../shaders/lib/two-phase.wgsl";
import loopTwoPhaseBackward from "../../../../shaders/strategies/loop-two-phase-backward.wgsl";
import loopTwoPhaseForward from "../../../../shaders/strategies/loop-two-phase-forward.wgsl";
import twoPhaseBackward from "../../../../shaders/strategies/two-phase-backward.wgsl";
import twoPhaseForward from "../../../../shaders/strategies/two-phase-forward.wgsl";

export const shaders: Readonly<Record<string, string>> = {
  "cells/gru-reset-before": cellGruResetBefore,
  "lib/two-phase": twoPhaseLib,
  "strategies/loop-two-phase-backward": loopTwoPhaseBackward,
  "strategies/loop-two-phase-forward": loopTwoPhaseForward,
  "strategies/two-phase-backward": twoPhaseBackward,
  "strategies/two-phase-forward": twoPhaseForward,
};
