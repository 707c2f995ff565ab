import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TextData, Vocabulary, type Batch, type Tensor } from "webgpu-rnn";
import { anyText } from "./any-text.ts";

/** For values that the types forbid: callers may be JavaScript. */
const wrong = (value: unknown): never => value as never;

const abc = "abcdefghijklmnopqrstuvwxyz";

/** Column `row` of a [steps, batch] tensor of ids, as text. */
function rowOf(data: TextData, { shape: [steps, batch], data: ids }: Tensor, row: number): string {
  return data.vocabulary.decode(Array.from({ length: steps }, (_, t) => ids[t * batch + row]));
}

const inputOf = (data: TextData, { input }: Batch, row: number): string => rowOf(data, input, row);

describe("Vocabulary", () => {
  it("has the characters of a text, sorted by code point, whatever their order was", () => {
    expect(Vocabulary.of("banana").characters).toEqual(["a", "b", "n"]);
    expect(Vocabulary.of("nab")).toEqual(Vocabulary.of("ban"));
    expect(Vocabulary.of("aB é\n").characters).toEqual(["\n", " ", "B", "a", "é"]);
  });

  it("gives ids in that order and gives texts back, whatever is in them", () => {
    expect([...Vocabulary.of("banana").encode("nab")]).toEqual([2, 0, 1]);
    fc.assert(
      fc.property(anyText({ minLength: 1 }), (text) => {
        const vocabulary = Vocabulary.of(text);
        expect(vocabulary.decode(vocabulary.encode(text))).toBe(text);
        expect(vocabulary.size).toBe(new Set(text).size);
      }),
    );
  });

  it("counts a character outside the basic plane as one", () => {
    const vocabulary = Vocabulary.of("🐋鯨🐋");
    expect(vocabulary.characters).toEqual(["鯨", "🐋"]);
    expect([...vocabulary.encode("🐋鯨🐋")]).toEqual([1, 0, 1]);
    expect(vocabulary.toString()).toBe("鯨🐋");
  });

  it("can be made again from its text", () => {
    const vocabulary = Vocabulary.of("Call me 🐋");
    expect(new Vocabulary(Array.from(vocabulary.toString()))).toEqual(vocabulary);
  });

  it.each([
    ["an empty text", () => Vocabulary.of(""), "Vocabulary: needs at least one character"],
    ["no text", () => Vocabulary.of(wrong(undefined)), "Vocabulary: text must be a string, got undefined"],
    ["no characters", () => new Vocabulary([]), "Vocabulary: needs at least one character"],
    ["a text for a list", () => new Vocabulary(wrong("abc")), 'Vocabulary: characters must be a list, got "abc"'],
    ["a character twice", () => new Vocabulary(["a", "b", "a"]), "Vocabulary: has a character twice"],
    ["words", () => new Vocabulary(["a", "the"]), 'Vocabulary: characters must be single Unicode code points, got "the" at index 1'],
    ["an empty character", () => new Vocabulary([""]), 'Vocabulary: characters must be single Unicode code points, got "" at index 0'],
    ["numbers", () => new Vocabulary(wrong([1])), "Vocabulary: characters must be single Unicode code points, got 1 at index 0"],
    [
      "a hole",
      () => new Vocabulary(wrong([undefined])),
      "Vocabulary: characters must be single Unicode code points, got undefined at index 0",
    ],
    [
      "a character that it does not have",
      () => Vocabulary.of("abc").encode("ab🐋"),
      'Vocabulary: "🐋" at position 2 is not among the 3 known characters',
    ],
    ["a number to encode", () => Vocabulary.of("abc").encode(wrong(3)), "Vocabulary: text must be a string, got 3"],
    ["an id out of range", () => Vocabulary.of("abc").decode([0, 3]), "Vocabulary: ids must be integers from 0 to 2, got 3 at index 1"],
    ["a negative id", () => Vocabulary.of("abc").decode([-1]), "Vocabulary: ids must be integers from 0 to 2, got -1 at index 0"],
    ["a fraction of an id", () => Vocabulary.of("abc").decode([0.5]), "Vocabulary: ids must be integers from 0 to 2, got 0.5 at index 0"],
  ])("refuses %s", (_, act, message) => {
    expect(act).toThrow(expect.objectContaining({ name: "RnnError", kind: "data", message }) as Error);
  });
});

describe("TextData", () => {
  it("cuts the text into rows that are read side by side, a window at a time", () => {
    // 26 letters: two rows of 12 (25 targets, halved), three windows of 4.
    const data = TextData.from(abc, { batch: 2, steps: 4 });
    expect(data.batches).toBe(3);
    const first = data.batch(0);
    expect(first.input.shape).toEqual([4, 2]);
    expect(first.targets.shape).toEqual([4, 2]);
    expect([0, 1, 2].map((step) => inputOf(data, data.batch(step), 0))).toEqual(["abcd", "efgh", "ijkl"]);
    expect([0, 1, 2].map((step) => inputOf(data, data.batch(step), 1))).toEqual(["mnop", "qrst", "uvwx"]);
  });

  it("gives as targets the characters one further on", () => {
    const data = TextData.from(abc, { batch: 2, steps: 4 });
    expect(rowOf(data, data.batch(0).targets, 0)).toBe("bcde");
    expect(rowOf(data, data.batch(2).targets, 0)).toBe("jklm");
    expect(rowOf(data, data.batch(2).targets, 1)).toBe("vwxy");
  });

  it("starts over after the last window, and says so", () => {
    const data = TextData.from(abc, { batch: 2, steps: 4 });
    expect([0, 1, 2, 3, 4, 5, 6].map((step) => data.batch(step).startsSequence)).toEqual([true, false, false, true, false, false, true]);
    expect(data.batch(3)).toEqual(data.batch(0));
    expect(data.batch(3_000_000_001)).toEqual(data.batch(1));
  });

  it("gives the same numbers batch first", () => {
    const data = TextData.from(abc, { batch: 3, steps: 2 });
    const { input, targets } = data.batch(1, true);
    expect(input.shape).toEqual([3, 2]);
    expect(data.vocabulary.decode(input.data)).toBe("cdklst");
    expect(data.vocabulary.decode(targets.data)).toBe("delmtu");
  });

  it("goes on in each row where the last window ended, for all sizes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 60 }), (batch, steps, more) => {
        const text = Array.from({ length: batch * steps + 1 + more }, (_, i) => String.fromCodePoint(0x1f400 + i)).join("");
        const data = TextData.from(text, { batch, steps });
        expect(data.batches).toBe(Math.floor(Math.floor((batch * steps + more) / batch) / steps));
        for (let row = 0; row < batch; row++) {
          const read = Array.from({ length: data.batches }, (_, step) => inputOf(data, data.batch(step), row)).join("");
          expect(text).toContain(read);
          const last = data.batch(data.batches - 1);
          expect(text).toContain(read + Array.from(rowOf(data, last.targets, row)).at(-1)!);
        }
      }),
    );
  });

  it("fits exactly one window into the shortest text that it takes", () => {
    const data = TextData.from(abc.slice(0, 9), { batch: 2, steps: 4 });
    expect(data.batches).toBe(1);
    expect(inputOf(data, data.batch(7), 1)).toBe("efgh");
    expect(data.batch(1).startsSequence).toBe(true);
  });

  it("reads 32 rows of 64 characters if nothing else is said", () => {
    expect(TextData.from("ab".repeat(5000)).batch(0).input.shape).toEqual([64, 32]);
  });

  it("takes a vocabulary that has more than the text", () => {
    const vocabulary = Vocabulary.of(abc);
    const data = TextData.from("zebra", { batch: 1, steps: 4, vocabulary });
    expect(data.vocabulary).toBe(vocabulary);
    expect([...data.batch(0).input.data]).toEqual([25, 4, 1, 17]);
  });

  it("splits off the end, with the same vocabulary and window", () => {
    const { train, test } = TextData.from(abc.repeat(10), { batch: 2, steps: 4 }).split(0.1);
    expect([train.tokens.length, test.tokens.length]).toEqual([234, 26]);
    expect(test.batches).toBe(3);
    expect(test.vocabulary).toBe(train.vocabulary);
    expect(inputOf(test, test.batch(0), 0)).toBe("abcd");
  });

  const whole = TextData.from(abc, { batch: 2, steps: 4 });
  it.each([
    ["an empty text", () => TextData.from(""), "data", "TextData: text must not be empty"],
    ["no text", () => TextData.from(wrong(undefined)), "data", "TextData: text must be a string, got undefined"],
    ["bytes", () => TextData.from(wrong(Uint8Array.of(1))), "data", "TextData: text must be a string, got a Uint8Array"],
    [
      "a text shorter than one window",
      () => TextData.from(abc, { batch: 2, steps: 13 }),
      "data",
      "TextData: text must have at least batch x steps + 1 = 27 characters, got 26; use a longer text, a smaller batch or fewer steps",
    ],
    [
      "a batch larger than the text",
      () => TextData.from(abc, { batch: 26, steps: 1 }),
      "data",
      "TextData: text must have at least batch x steps + 1 = 27 characters, got 26; use a longer text, a smaller batch or fewer steps",
    ],
    [
      "a text that is long in code units only",
      () => TextData.from("🐋".repeat(8), { batch: 2, steps: 4 }),
      "data",
      "TextData: text must have at least batch x steps + 1 = 9 characters, got 8; use a longer text, a smaller batch or fewer steps",
    ],
    ["no steps", () => TextData.from(abc, { steps: 0 }), "option", "TextData: steps must be an integer of at least 1, got 0"],
    ["no rows", () => TextData.from(abc, { batch: 0 }), "option", "TextData: batch must be an integer of at least 1, got 0"],
    [
      "a fraction of a step",
      () => TextData.from(abc, { steps: 1.5 }),
      "option",
      "TextData: steps must be an integer of at least 1, got 1.5",
    ],
    [
      "an unknown option",
      () => TextData.from(abc, wrong({ length: 3 })),
      "option",
      'TextData: unknown option "length"; known options are batch, steps, vocabulary',
    ],
    ["options that are none", () => TextData.from(abc, wrong(null)), "option", "TextData: options must be an object, got null"],
    [
      "a vocabulary that is none",
      () => TextData.from(abc, { vocabulary: wrong("abc") }),
      "option",
      'TextData: vocabulary must be a Vocabulary, got "abc"',
    ],
    [
      "characters outside the vocabulary",
      () => TextData.from("zebra", { vocabulary: Vocabulary.of("zeb") }),
      "data",
      'Vocabulary: "r" at position 3 is not among the 3 known characters',
    ],
    [
      "a split into nothing and all",
      () => whole.split(1),
      "data",
      "TextData: a fraction of 1 leaves a part of 0 characters, which is shorter than one window, 2 x 4 + 1",
    ],
    [
      "a split into all and nothing",
      () => whole.split(0),
      "data",
      "TextData: a fraction of 0 leaves a part of 0 characters, which is shorter than one window, 2 x 4 + 1",
    ],
    [
      "a split with too little at the end",
      () => whole.split(0.3),
      "data",
      "TextData: a fraction of 0.3 leaves a part of 8 characters, which is shorter than one window, 2 x 4 + 1",
    ],
    [
      "a split of more than all",
      () => whole.split(1.5),
      "option",
      "TextData: fraction must be a finite number of at least 0 and at most 1, got 1.5",
    ],
    ["a negative step", () => whole.batch(-1), "option", "TextData: step must be an integer of at least 0, got -1"],
    ["a fraction of a step to read", () => whole.batch(0.5), "option", "TextData: step must be an integer of at least 0, got 0.5"],
  ])("refuses %s", (_, act, kind, message) => {
    expect(act).toThrow(expect.objectContaining({ name: "RnnError", kind, message }) as Error);
  });
});
