/** WGSL of cells whose time steps are computed side by side. */
import cellMinGru from "../../../../shaders/cells/min-gru.wgsl";
import cellMinLstm from "../../../../shaders/cells/min-lstm.wgsl";
import scanLib from "../../../../shaders/lib/scan.wgsl";
import scanBackward from "../../../../shaders/strategies/scan-backward.wgsl";
import scanForward from "../../../../shaders/strategies/scan-forward.wgsl";

export const shaders: Readonly<Record<string, string>> = {
  "cells/min-gru": cellMinGru,
  "cells/min-lstm": cellMinLstm,
  "lib/scan": scanLib,
  "strategies/scan-backward": scanBackward,
  "strategies/scan-forward": scanForward,
};
