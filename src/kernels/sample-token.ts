/**
 * Samples the next token on the device. A generated token takes `sampleToken`, then `advancePosition`. The host does
 * nothing in between, so one submit makes many tokens, which are read from `history` together.
 */
import { defineKernel, rowGroups } from "./kernel.ts";

const bindings = {
  logits: { access: "read", type: "f32", shape: "[B, V]" },
  sampling: { access: "read", type: "f32", shape: "[2]: temperature (0: argmax), topK (0: all)" },
  random: { access: "read", type: "u32", shape: "[4]: seed low, seed high, step low, step high; [B, 4] if rows are separate" },
  position: { access: "read", type: "u32", shape: "[1]: number of tokens drawn before" },
  tokens: { access: "read_write", type: "u32", shape: "[B]" },
  history: { access: "read_write", type: "u32", shape: "[capacity, B]" },
} as const;

/**
 * Draws from softmax(logits / temperature) by the Gumbel-max trick (Gumbel 1954): the argmax of
 * logit / temperature - ln(-ln u), u uniform in (0, 1). With topK only logits at least as great as the topK-th
 * greatest take part (all of those equal to it). Temperature 0 is argmax, the lowest column first. A row without a
 * finite logit gives token 0.
 *
 * u comes from Philox with the key random[0..1] and the counter (column / 4, stream + row, random[2] + position,
 * random[3]). If rows are `separate`, each has random words of its own and the counter of row 0, so that it draws what it
 * would draw alone. The token is written to `tokens` and to `history`, a ring, at `position` modulo `capacity`.
 */
export const sampleToken = defineKernel({
  name: "sample-token",
  sources: ["lib/linear-index", "lib/philox", "sample-token"],
  bindings,
  params: { rows: "u32", columns: "u32", capacity: "u32", stream: "u32", separate: "u32" },
  workgroups: ({ rows }) => rowGroups(rows),
});

/** position += by. A separate kernel, because all workgroups of sampleToken read the position. */
export const advancePosition = defineKernel({
  name: "advance-position",
  bindings: { position: { access: "read_write", type: "u32", shape: "[1]" } },
  params: { by: "u32" },
  workgroups: () => [1, 1, 1],
});
