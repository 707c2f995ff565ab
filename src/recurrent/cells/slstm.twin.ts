/** The arithmetic of slstm.ts. */
import { safeExp, safeTanh, sigmoid } from "../../kernels/activations.twin.ts";
import type { CellArithmetic } from "./arithmetic.ts";

type Memory = Readonly<Record<string, number>>;

/** ln σ(a) without overflow. */
const logSigmoid = (a: number): number => Math.min(a, 0) - Math.log(1 + safeExp(-Math.abs(a)));

/** Whether the stabiliser comes from the step before. */
const isKept = (logI: number, logF: number, { n, m }: Memory): boolean => n !== 0 && logF + m > logI;

export function slstmArithmetic({ squashesForget }: Readonly<Record<string, number>>): CellArithmetic<Memory> {
  return {
    forward(x, r, _hPrevious, before) {
      const logI = x[0] + r[0];
      const logF = squashesForget ? logSigmoid(x[1] + r[1]) : x[1] + r[1];
      const z = safeTanh(x[2] + r[2]);
      const o = sigmoid(x[3] + r[3]);
      const m = isKept(logI, logF, before) ? logF + before.m : logI;
      const i = safeExp(logI - m);
      const f = safeExp(logF + before.m - m);
      const c = f * before.c + i * z;
      const n = f * before.n + i;
      return { gates: [logI, logF, z, o], h: (o * c) / n, c: { c, n, m } };
    },
    backward([logI, logF, z, o], _hPrevious, _h, before, { c, n, m }, dh, d) {
      const i = safeExp(logI - m);
      const f = safeExp(logF + before.m - m);
      const dc = d.c + (dh * o) / n;
      const dn = d.n - (dh * o * c) / (n * n);
      const dI = (dc * z + dn) * i;
      const dF = (dc * before.c + dn * before.n) * f;
      const dm = d.m - dI - dF;
      const kept = isKept(logI, logF, before);
      const dLogF = dF + (kept ? dm : 0);
      const dGates = [
        dI + (kept ? 0 : dm),
        dLogF * (squashesForget ? 1 - safeExp(logF) : 1),
        dc * i * (1 - z * z),
        ((dh * c) / n) * o * (1 - o),
      ];
      return { dGates, dRecurrent: dGates, dhPrevious: 0, dcPrevious: { c: dc * f, n: dn * f, m: dLogF } };
    },
  };
}
