// What `npm run example` trains at length is seen to learn at a small size.
import { describe, expect, it } from "vitest";
import { createBackend } from "webgpu-rnn";
import { attentionPicture } from "../../examples/attention-picture.ts";
import { readDigits } from "../../examples/digits.ts";
import { classifyNames, names, spelt, writeNames } from "../../examples/names.ts";
import { pronounce } from "../../examples/phonemes.ts";
import { reverse } from "../../examples/reverse.ts";

describe("reversing words", () => {
  it("works on 9 of 10 new words after 400 steps, if they are short", async () => {
    const backend = await createBackend("cpu");
    const share = await reverse({ backend, letters: 6, longest: 5, hidden: 24, steps: 400 });
    expect(share).toBeGreaterThan(0.9);
  });
});

describe("pronouncing words", () => {
  it("begins to work on short words: fewer than 6 of 10 phonemes wrong after 150 steps, and a picture of it", async () => {
    const backend = await createBackend("cpu");
    const { errorRate, words } = await pronounce({ backend, longest: 5, hidden: 48, steps: 150, batch: 48, heldOut: 60 });
    expect(errorRate).toBeLessThan(0.6);
    const [{ word, found, attention }] = words;
    const picture = attentionPicture(Array.from(word), [...found, "end"], attention.data);
    expect(picture.match(/<rect /g)).toHaveLength(1 + word.length * (found.length + 1));
    expect(attention.shape).toEqual([found.length + 1, word.length]);
  });
});

describe("first names", () => {
  it("are classified better than by the commoner sex after 250 steps, and written for a sex after 600", async () => {
    const backend = await createBackend("cpu");
    const all = names();
    const female = all.filter(({ sex }) => sex === 0).length / all.length;
    const { accuracy, heldOut, model } = await classifyNames({ backend, hidden: 24, steps: 250 });
    expect(heldOut).toBe(Math.ceil(all.length / 10));
    expect(accuracy).toBeGreaterThan(female + 0.08);
    const { agreement, written } = await writeNames({ backend, hidden: 64, steps: 600, judge: model, count: 100 });
    expect(agreement).toBeGreaterThan(0.6);
    expect(written.every(({ letters }) => /^[A-Z][a-z]*$/.test(spelt(letters)))).toBe(true);
  });
});

describe("handwritten digits", () => {
  it("are read in rows: 6 of 10 right after 250 steps", async () => {
    expect(await readDigits({ backend: await createBackend("cpu"), hidden: 32, steps: 250, heldOut: 200 })).toBeGreaterThan(0.6);
  });
});
