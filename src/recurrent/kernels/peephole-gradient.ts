import { defineKernel } from "../../kernels/kernel.ts";

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
});
