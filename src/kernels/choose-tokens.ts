import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * Scheduled sampling (Bengio et al. 2015): with probability `rate`, a row of the batch continues with its drawn token,
 * else with the given one. The coin of a row is Philox with the key random[0..1] and the counter
 * (row / 4, stream, random[2], random[3]).
 */
export const chooseTokens = defineKernel({
  name: "choose-tokens",
  sources: ["lib/linear-index", "lib/philox", "choose-tokens"],
  bindings: {
    given: { access: "read", type: "u32", shape: "[rows], from `offset` on" },
    drawn: { access: "read", type: "u32", shape: "[rows]" },
    rate: { access: "read", type: "f32", shape: "[1]" },
    random: { access: "read", type: "u32", shape: "[4]: seed low, seed high, step low, step high" },
    tokens: { access: "read_write", type: "u32", shape: "[rows]" },
  },
  params: { rows: "u32", offset: "u32", stream: "u32" },
  workgroups: ({ rows }) => elementGroups(rows),
});
