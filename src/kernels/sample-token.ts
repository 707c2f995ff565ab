/**
 * Sampling the next token on the device. A generated token takes `sampleToken`, then `advancePosition`; nothing
 * comes from the host in between, so that many tokens go into one submit and are read from `history` together.
 */
import { defineKernel, rowGroups, type Arrays } from "./kernel.ts";
import { openUniformOf, philox } from "./philox.ts";

/** -ln(-ln u), from v = 1 - u, which keeps the digits of the draws that win. */
const gumbelOf = (word: number): number => -Math.log(-Math.log1p(-openUniformOf(word)));

const bindings = {
  logits: { access: "read", type: "f32", shape: "[B, V]" },
  sampling: { access: "read", type: "f32", shape: "[2]: temperature (0: argmax), topK (0: all)" },
  random: { access: "read", type: "u32", shape: "[4]: seed low, seed high, step low, step high" },
  position: { access: "read", type: "u32", shape: "[1]: number of tokens drawn before" },
  tokens: { access: "read_write", type: "u32", shape: "[B]" },
  history: { access: "read_write", type: "u32", shape: "[capacity, B]" },
} as const;

/** The topK-th greatest logit of a row. */
function thresholdOf(logits: Arrays<typeof bindings>["logits"], at: number, columns: number, topK: number): number {
  return Float64Array.from(logits.subarray(at, at + columns)).sort()[columns - topK];
}

/**
 * Draws from softmax(logits / temperature) by the Gumbel-max trick (Gumbel 1954): the argmax of
 * logit / temperature - ln(-ln u), u uniform in (0, 1). With topK only logits at least as great as the topK-th
 * greatest take part (all of those equal to it). Temperature 0 is argmax, the lowest column first. A row without a
 * finite logit gives token 0.
 *
 * u comes from Philox with the key random[0..1] and the counter (column / 4, stream + row, random[2] + position,
 * random[3]). The token is written to `tokens` and to `history`, a ring, at `position` modulo `capacity`.
 */
export const sampleToken = defineKernel({
  name: "sample-token",
  sources: ["lib/linear-index", "lib/philox", "sample-token"],
  bindings,
  params: { rows: "u32", columns: "u32", capacity: "u32", stream: "u32" },
  workgroups: ({ rows }) => rowGroups(rows),
  twin({ logits, sampling, random, position, tokens, history }, { rows, columns, capacity, stream }) {
    const temperature = sampling[0];
    const topK = Math.trunc(sampling[1]);
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      const threshold = topK > 0 && topK < columns ? thresholdOf(logits, at, columns, topK) : -Infinity;
      let best = -3.4e38;
      let token = 0;
      for (let block = 0; block * 4 < columns; block++) {
        const words = philox([block, (stream + row) >>> 0, (random[2] + position[0]) >>> 0, random[3]], [random[0], random[1]]);
        for (let column = block * 4; column < Math.min(block * 4 + 4, columns); column++) {
          const logit = logits[at + column];
          const score = temperature > 0 ? logit / temperature + gumbelOf(words[column % 4]) : logit;
          if (logit >= threshold && score > best) {
            best = score;
            token = column;
          }
        }
      }
      tokens[row] = token;
      history[(position[0] % capacity) * rows + row] = token;
    }
  },
});

/** position += by. A kernel of its own, because the workgroups of sampleToken all read the position. */
export const advancePosition = defineKernel({
  name: "advance-position",
  bindings: { position: { access: "read_write", type: "u32", shape: "[1]" } },
  params: { by: "u32" },
  workgroups: () => [1, 1, 1],
  twin({ position }, { by }) {
    position[0] += by;
  },
});
