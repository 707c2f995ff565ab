import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * Inverted dropout: y (+)= x⊙mask / (1 - p), mask_i = [u_i >= p] with u uniform in [0, 1). The same dispatch on dy
 * is the backward pass. u comes from Philox with the key random[0..1] (the seed's low and high word) and the counter
 * (i / 4, stream, random[2], random[3]): `stream` tells layers apart, random[2..3] is the step, written by the host.
 */
export const dropout = defineKernel({
  name: "dropout",
  sources: ["lib/linear-index", "lib/philox", "dropout"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[length]" },
    random: { access: "read", type: "u32", shape: "[4]: seed low, seed high, step low, step high" },
    y: { access: "read_write", type: "f32", shape: "[length]" },
  },
  params: { length: "u32", stream: "u32", p: "f32", accumulate: "u32" },
  workgroups: ({ length }) => elementGroups(Math.ceil(length / 4)),
});
