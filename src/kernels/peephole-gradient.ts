import { defineKernel } from "./kernel.ts";

/** dP (+)= Σ_rows dGates⊙c for an LSTM's gates i f g o: i and f see c_{t-1}, o sees c_t, g nothing. */
export const peepholeGradient = defineKernel({
  name: "peephole-gradient",
  bindings: {
    dGates: { access: "read", type: "f32", shape: "[rows, H, 4]" },
    c: { access: "read", type: "f32", shape: "[rows, H] at cPrevious and at cCurrent" },
    dPeepholes: { access: "read_write", type: "f32", shape: "[H, 4]" },
  },
  params: { rows: "u32", H: "u32", cPrevious: "u32", cCurrent: "u32", accumulate: "u32" },
  workgroups: ({ H }) => [Math.ceil(H / 16), 1, 1],
  twin({ dGates, c, dPeepholes }, { rows, H, cPrevious, cCurrent, accumulate }) {
    for (let unit = 0; unit < H; unit++) {
      for (let gate = 0; gate < 4; gate++) {
        let sum = 0;
        for (let row = 0; row < rows; row++) {
          const at = row * H + unit;
          const seen = gate === 2 ? 0 : c[(gate === 3 ? cCurrent : cPrevious) + at];
          sum += dGates[at * 4 + gate] * seen;
        }
        const place = unit * 4 + gate;
        dPeepholes[place] = accumulate ? dPeepholes[place] + sum : sum;
      }
    }
  },
});
