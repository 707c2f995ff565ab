/** The twin of step-bits.ts. */
import { stepBits } from "./step-bits.ts";
import { twin } from "./twin.ts";

export const stepBitsTwins = [
  twin(stepBits, ({ mask, words }, { T, B }) => {
    const each = Math.ceil(T / 32);
    for (let i = 0; i < B * each; i++) {
      const row = Math.floor(i / each);
      const firstStep = (i % each) * 32;
      let bits = 0;
      for (let bit = 0; bit < Math.min(32, T - firstStep); bit++) if (mask[row * T + firstStep + bit] !== 0) bits |= 1 << bit;
      words[B + i] = bits >>> 0;
      if (firstStep === 0) words[row] = 2 ** 31 + B + i;
    }
  }),
];
