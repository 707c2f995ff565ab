/** The kernels of an LSTM layer in gpu.js. Gates are in PyTorch's order i f g o, rows are rows of the batch. */
import type { GPU, Handle, Thread } from "gpu.js";
import type { Problem } from "../problem.ts";

// gpu.js reads the source of these functions, so they use nothing from outside but `this.constants`.

export function makeKernels(gpu: GPU, { steps: T, batch: B, input: I, hidden: H }: Problem) {
  const constants = { B, H, I, scale: 2 / (T * B * H) };
  const kernel = <F extends (this: Thread, ...args: never[]) => number>(f: F, width: number, height: number) =>
    gpu.createKernel(f, { output: [width, height], constants });
  return {
    /** x·Wᵀ + b of all steps. */
    project: kernel(
      function (x: Handle, w: Handle, bias: Handle) {
        let sum = bias[0][this.thread.x];
        for (let i = 0; i < this.constants.I; i++) sum += x[this.thread.y][i] * w[this.thread.x][i];
        return sum;
      },
      4 * H,
      T * B,
    ),
    gates: kernel(
      function (projected: Handle, h: Handle, u: Handle, t: number) {
        let sum = projected[t * this.constants.B + this.thread.y][this.thread.x];
        for (let i = 0; i < this.constants.H; i++) sum += h[this.thread.y][i] * u[this.thread.x][i];
        if (this.thread.x >= 2 * this.constants.H && this.thread.x < 3 * this.constants.H) return Math.tanh(sum);
        return 1 / (1 + Math.exp(-sum));
      },
      4 * H,
      B,
    ),
    memory: kernel(
      function (gates: Handle, c: Handle) {
        const x = this.thread.x;
        const y = this.thread.y;
        return gates[y][this.constants.H + x] * c[y][x] + gates[y][x] * gates[y][2 * this.constants.H + x];
      },
      H,
      B,
    ),
    output: kernel(
      function (gates: Handle, c: Handle) {
        return gates[this.thread.y][3 * this.constants.H + this.thread.x] * Math.tanh(c[this.thread.y][this.thread.x]);
      },
      H,
      B,
    ),

    /** Of the last step: nothing comes back from a later one. */
    lastHiddenGradient: kernel(
      function (h: Handle, target: Handle, t: number) {
        return this.constants.scale * (h[this.thread.y][this.thread.x] - target[t * this.constants.B + this.thread.y][this.thread.x]);
      },
      H,
      B,
    ),
    hiddenGradient: kernel(
      function (h: Handle, target: Handle, dGates: Handle, u: Handle, t: number) {
        let sum = this.constants.scale * (h[this.thread.y][this.thread.x] - target[t * this.constants.B + this.thread.y][this.thread.x]);
        for (let g = 0; g < 4 * this.constants.H; g++) sum += dGates[this.thread.y][g] * u[g][this.thread.x];
        return sum;
      },
      H,
      B,
    ),
    lastMemoryGradient: kernel(
      function (dh: Handle, gates: Handle, c: Handle) {
        const squashed = Math.tanh(c[this.thread.y][this.thread.x]);
        return dh[this.thread.y][this.thread.x] * gates[this.thread.y][3 * this.constants.H + this.thread.x] * (1 - squashed * squashed);
      },
      H,
      B,
    ),
    memoryGradient: kernel(
      function (dh: Handle, gates: Handle, c: Handle, dcNext: Handle, gatesNext: Handle) {
        const x = this.thread.x;
        const y = this.thread.y;
        const squashed = Math.tanh(c[y][x]);
        return (
          dh[y][x] * gates[y][3 * this.constants.H + x] * (1 - squashed * squashed) + dcNext[y][x] * gatesNext[y][this.constants.H + x]
        );
      },
      H,
      B,
    ),
    gateGradient: kernel(
      function (dh: Handle, dc: Handle, gates: Handle, cPrevious: Handle, c: Handle) {
        const y = this.thread.y;
        const gate = gates[y][this.thread.x];
        let unit = this.thread.x;
        if (unit < this.constants.H) return dc[y][unit] * gates[y][2 * this.constants.H + unit] * gate * (1 - gate);
        unit = unit - this.constants.H;
        if (unit < this.constants.H) return dc[y][unit] * cPrevious[y][unit] * gate * (1 - gate);
        unit = unit - this.constants.H;
        if (unit < this.constants.H) return dc[y][unit] * gates[y][unit] * (1 - gate * gate);
        unit = unit - this.constants.H;
        return dh[y][unit] * Math.tanh(c[y][unit]) * gate * (1 - gate);
      },
      4 * H,
      B,
    ),

    firstInputWeightGradient: kernel(
      function (dGates: Handle, x: Handle, t: number) {
        let sum = 0;
        for (let b = 0; b < this.constants.B; b++) sum += dGates[b][this.thread.y] * x[t * this.constants.B + b][this.thread.x];
        return sum;
      },
      I,
      4 * H,
    ),
    inputWeightGradient: kernel(
      function (before: Handle, dGates: Handle, x: Handle, t: number) {
        let sum = before[this.thread.y][this.thread.x];
        for (let b = 0; b < this.constants.B; b++) sum += dGates[b][this.thread.y] * x[t * this.constants.B + b][this.thread.x];
        return sum;
      },
      I,
      4 * H,
    ),
    firstRecurrentWeightGradient: kernel(
      function (dGates: Handle, h: Handle) {
        let sum = 0;
        for (let b = 0; b < this.constants.B; b++) sum += dGates[b][this.thread.y] * h[b][this.thread.x];
        return sum;
      },
      H,
      4 * H,
    ),
    recurrentWeightGradient: kernel(
      function (before: Handle, dGates: Handle, h: Handle) {
        let sum = before[this.thread.y][this.thread.x];
        for (let b = 0; b < this.constants.B; b++) sum += dGates[b][this.thread.y] * h[b][this.thread.x];
        return sum;
      },
      H,
      4 * H,
    ),
    firstBiasGradient: kernel(
      function (dGates: Handle) {
        let sum = 0;
        for (let b = 0; b < this.constants.B; b++) sum += dGates[b][this.thread.x];
        return sum;
      },
      4 * H,
      1,
    ),
    biasGradient: kernel(
      function (before: Handle, dGates: Handle) {
        let sum = before[0][this.thread.x];
        for (let b = 0; b < this.constants.B; b++) sum += dGates[b][this.thread.x];
        return sum;
      },
      4 * H,
      1,
    ),

    descendInputWeight: kernel(descend, I, 4 * H),
    descendRecurrentWeight: kernel(descend, H, 4 * H),
    descendBias: kernel(descend, 4 * H, 1),
  };
}

function descend(this: Thread, w: Handle, dw: Handle, rate: Handle): number {
  return w[this.thread.y][this.thread.x] - rate[0][0] * dw[this.thread.y][this.thread.x];
}
