/** Computes all time steps side by side in one dispatch, for cells with a linear recurrence. */
import { scanBackward, scanForward } from "../kernels/scan.ts";
import { PlainRecurrence, type PlainDispatches } from "./plain.ts";
import type { Strategy } from "./strategy.ts";

const dispatches: PlainDispatches = {
  forward({ tape: { recording }, cell, form: { gaps } }, { segment, gates, h, lengths }) {
    recording.dispatch(scanForward(cell, { gaps }), { gates, h, lengths }, segment);
  },

  backward({ tape: { recording }, cell, form: { gaps } }, { segment, gates, h, lengths }, { dy, carry }) {
    recording.dispatch(scanBackward(cell, { gaps }), { gates, h, dy, carry, lengths }, segment);
  },
};

/** Profiles do not measure it, so it has no cost. It is chosen wherever it can run, because it needs few dispatches. */
export const scan: Strategy = {
  name: "scan",
  refusals: [
    {
      layers: "a cell with a recurrent product (RNN, GRU, LSTM)",
      applies: ({ linear }) => !linear,
      because: () => "needs a cell without a recurrent product, whose h_t is a⊙h_{t-1} + b",
    },
    {
      layers: "normalization, zoneout or recurrentDropout",
      applies: ({ regularized }) => regularized !== "none",
      because: () => "has no kernels for layers with normalization, zoneout or recurrent dropout",
    },
  ],
  isBroken: (_, avoided) => avoided.starts("scan-"),
  make: (site) => new PlainRecurrence(site, dispatches),
};
