/** The twins of windows.ts. */
import { twin } from "./twin.ts";
import { fold, unfold } from "./windows.ts";

export const windowTwins = [
  twin(unfold, ({ x, windows }, p) => {
    const { batch, length, groups, positions, taps, stride, dilation, before, xBatch, xStep, fill, accumulate } = p;
    const perGroup = p.channels / groups;
    let at = 0;
    for (let g = 0; g < groups; g++) {
      for (let n = 0; n < batch; n++) {
        for (let position = 0; position < positions; position++) {
          for (let c = 0; c < perGroup; c++) {
            const from = n * xBatch + (g * perGroup + c) * p.xChannel;
            let l = position * stride - before;
            for (let k = 0; k < taps; k++, at++, l += dilation) {
              const value = l >= 0 && l < length ? x[from + l * xStep] : fill;
              windows[at] = accumulate ? windows[at] + value : value;
            }
          }
        }
      }
    }
  }),
  twin(fold, ({ windows, x }, p) => {
    const perGroup = p.channels / p.groups;
    for (let n = 0; n < p.batch; n++) {
      for (let c = 0; c < p.channels; c++) {
        const [g, inGroup] = [Math.floor(c / perGroup), c % perGroup];
        for (let l = 0; l < p.length; l++) {
          let value = 0;
          for (let k = 0; k < p.taps; k++) {
            const start = l + p.before - k * p.dilation;
            const position = start / p.stride;
            if (start < 0 || start % p.stride !== 0 || position >= p.positions) continue;
            value += windows[(((g * p.batch + n) * p.positions + position) * perGroup + inGroup) * p.taps + k];
          }
          const at = n * p.xBatch + c * p.xChannel + l * p.xStep;
          x[at] = p.accumulate ? x[at] + value : value;
        }
      }
    }
  }),
];
