// The parts of the demo page, without a page: texts, addresses, loss curves, damaged checkpoints.
import { readFileSync, readdirSync } from "node:fs";
import fc from "fast-check";
import { createBackend, RnnError, TextData, Vocabulary, type Backend } from "webgpu-rnn";
import { decodeSafetensors, encodeSafetensors } from "webgpu-rnn/formats";
import { beforeAll, describe, expect, it } from "vitest";
import { fromAddress, toAddress } from "../../demo/address.ts";
import { markOf, readCheckpoint } from "../../demo/checkpoint-file.ts";
import { LossHistory } from "../../demo/loss-history.ts";
import type { Settings } from "../../demo/messages.ts";
import { Divergence } from "../../demo/model-view.ts";
import { Reading } from "../../demo/reading.ts";
import { Run } from "../../demo/run.ts";
import { parameterCount } from "../../demo/size.ts";
import { countCharacters, decodeText, readTextFile } from "../../demo/text-file.ts";
import { anyText } from "./any-text.ts";

const bytesOf = (text: string, unit = 1, bigEndian = false, mark = false): Uint8Array => {
  const units = Uint16Array.from((mark ? "\ufeff" : "") + text, (c) => c.charCodeAt(0));
  if (unit === 1) return new TextEncoder().encode((mark ? "\ufeff" : "") + text);
  const view = new DataView(new ArrayBuffer(units.length * 2));
  units.forEach((value, i) => view.setUint16(2 * i, value, !bigEndian));
  return new Uint8Array(view.buffer);
};

describe("a file as text", () => {
  const verse = "Nun weiß ich’s: “né” – 10 €\nzweite Zeile\n";

  it("is read in UTF-8 and UTF-16, with or without a mark, and in the old Western encoding", () => {
    for (const bytes of [
      bytesOf(verse),
      bytesOf(verse, 1, false, true),
      bytesOf(verse, 2),
      bytesOf(verse, 2, true),
      bytesOf(verse, 2, false, true),
      bytesOf(verse, 2, true, true),
    ]) {
      expect(decodeText(bytes, "a.txt")).toBe(verse);
    }
    expect(
      decodeText(
        Uint8Array.from("caf\u00e9 na\u00efve\r\nline\rline", (c) => c.charCodeAt(0)),
        "a.txt",
      ),
    ).toBe("café naïve\nline\nline");
  });

  it("is refused, by its name, if it is binary, empty or blank", () => {
    const seeds = Array.from({ length: 300 }, (_, seed) =>
      Uint8Array.from({ length: 20 + seed * 7 }, (_, i) => (Math.imul(seed * 7919 + i * i + 1, 2654435761) >>> 13) & 255),
    );
    const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1]);
    for (const bytes of [png, new Uint8Array(0), bytesOf(" \n\t "), new Uint8Array(500), ...seeds])
      expect(() => decodeText(bytes, "photo.png")).toThrow(/^photo\.png: /);
  });

  it("is refused before it is read, if it is huge, and in words, if it cannot be read", async () => {
    let reads = 0;
    const file = (size: number): File =>
      ({
        name: "x".repeat(5000),
        size,
        arrayBuffer: () => (reads++, Promise.reject(new DOMException("gone", "NotFoundError"))),
      }) as unknown as File;
    await expect(readTextFile(file(3e9))).rejects.toThrow(/^x{79}…: has 3,000 MB; a text may have up to 100 MB$/);
    expect(reads).toBe(0);
    await expect(readTextFile(file(3))).rejects.toThrow(/cannot be read/);
  });

  it("has as many characters as a network will count", () => {
    fc.assert(
      fc.property(anyText(), (text) => countCharacters(text) === Array.from(text).length),
      { seed: 1, numRuns: 50 },
    );
    expect(countCharacters("a\ud800\ud800\udc00\udc00b")).toBe(5);
  });
});

describe("settings in an address", () => {
  const shared = {
    cell: "gru",
    embedding: 12,
    hidden: 34,
    layers: 2,
    batch: 5,
    window: 6,
    learningRate: 0.0125,
    seed: 7,
    backend: "cpu",
    prompt: "Ω & “x” =?#",
    temperature: 0.35,
    length: 99,
  } as const;

  it("come back as they were", () => {
    expect(fromAddress(toAddress(shared))).toEqual({ shared, problems: [] });
    expect(fromAddress("?utm_source=somewhere&x")).toEqual({ shared: {}, problems: [] });
  });

  it("are taken one by one, and what does not work is said shortly in the page's words", () => {
    const { shared: taken, problems } = fromAddress(
      "?hidden=1e9&layers=2&cell=transformer&batch=&window=0x10&learningRate=NaN&seed=-1&temperature=Infinity&length=1.5&backend=gpu",
    );
    expect(taken).toEqual({ layers: 2 });
    expect(problems).toHaveLength(9);
    expect(problems.join("\n")).toMatch(
      /^Cell: .*\nCompute on: .*\nHidden size: must be a whole number from 1 to 4096, got 1000000000\nBatch: .*\nWindow: .*"0x10"\nLearning rate: /,
    );
  });

  it("are checked, whatever their values", () => {
    const name = fc.constantFrom(...Object.keys(shared), "__proto__", "constructor", "text");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.oneof(anyText(), fc.double().map(String), fc.constant("9".repeat(400)), fc.constant("<script>")))),
        (pairs) => {
          const { shared: taken, problems } = fromAddress(`?${new URLSearchParams(pairs).toString()}`);
          for (const problem of problems) expect(problem.length).toBeLessThan(200);
          // An accepted file is valid: it can be written again.
          expect(fromAddress(toAddress(taken))).toEqual({ shared: taken, problems: [] });
        },
      ),
      { seed: 2, numRuns: 200 },
    );
  });
});

describe("a loss curve", () => {
  const fill = (
    history: LossHistory,
    count: number,
    loss = (step: number): number => 4 * Math.exp(-step / 500) + Math.sin(step * step),
  ): void => {
    for (let step = 1; step <= count; step++) history.add({ step, loss: loss(step) });
  };

  it("is smoothed from where the raw one starts, however many steps there are", () => {
    for (const [most, count] of [
      [4000, 1],
      [4000, 3999],
      [4000, 20_000],
      [10, 500],
      [9, 500],
    ]) {
      const history = new LossHistory(most);
      fill(history, count);
      expect(history.steps[0]).toBe(1);
      expect(history.smooth[0]).toBe(history.raw[0]);
      expect(history.raw[0]).toBe(4 * Math.exp(-1 / 500) + Math.sin(1));
      expect(history.steps.length).toBeLessThanOrEqual(most);
      expect(history.steps).toEqual([...history.steps].sort((a, b) => a - b));
    }
  });

  it("forgets what came after the step that it goes back to", () => {
    const history = new LossHistory();
    fill(history, 100, (step) => (step > 50 ? 1000 : 2));
    history.cutAfter(50);
    expect(history.latest).toBe(2);
    history.cutAfter(0);
    history.add({ step: 1, loss: 7 });
    expect([history.raw, history.smooth, history.latest]).toEqual([[7], [7], 7]);
  });

  it("continues from a saved curve, and not from anything else", () => {
    const [history, again] = [new LossHistory(50), new LossHistory(50)];
    fill(history, 333);
    again.restore(history.kept);
    expect(again.kept).toEqual(history.kept);
    for (const wrong of [
      { steps: [1], raw: [], smooth: [] },
      { steps: [NaN], raw: [1], smooth: [1] },
      { steps: "1", raw: "1", smooth: "1" },
      {},
    ])
      again.restore(wrong as never);
    expect(again.kept).toEqual(history.kept);
  });
});

describe("a diverging loss", () => {
  it("is one far above that of guessing, and over only when it is no longer above that", () => {
    const divergence = new Divergence(80);
    const losses = [4.4, 4.8, 5.5, 7.2, 120, 7, 5, 4.3, 4.5];
    expect(losses.map((loss) => [divergence.begins(loss), divergence.ends(loss)])).toEqual(
      losses.map((loss) => [loss === 7.2, loss === 4.3]),
    );
  });
});

describe("what a training reads", () => {
  const window = { batch: 2, window: 3 };
  const [one, other] = ["abcabcabcabc", "cbacbabcabcacb"].map((text, i) => ({ name: `${i}.txt`, text }));
  const vocabulary = Vocabulary.of(one.text);
  const dataOf = (text: string): TextData => TextData.from(text, { batch: 2, steps: 3, vocabulary });

  it("is the text that it names, from the step on at which that was chosen", () => {
    const reading = new Reading(window, vocabulary, markOf(one));
    expect(reading.hasText).toBe(false);
    reading.take(one, 0);
    for (const step of [0, 1, 2, 3]) expect(reading.batch(step, false)).toEqual(dataOf(one.text).batch(step));
    expect(reading.isOther(other)).toBe(true);
    reading.take(other, 3);
    // States from the earlier text are not carried into the new one.
    expect(reading.batch(3, false)).toEqual({ ...dataOf(other.text).batch(3), startsSequence: true });
    for (const step of [4, 5, 6]) expect(reading.batch(step, false)).toEqual(dataOf(other.text).batch(step));
    expect(reading.about).toEqual(markOf(other));
  });

  it("stays as it was when another text does not suit", () => {
    const reading = new Reading(window, vocabulary, markOf(one));
    reading.take(one, 0);
    for (const [text, words] of [
      ["", /^Text: there is none yet/],
      ["abc", /^Window: Batch 2 times Window 3 needs a text of 7 characters, this one has 3/],
      ["abcabcabxyz", /^Text: it has characters that this network has never seen: “x”, “y”, “z”\./],
    ] as const) {
      expect(() => reading.take({ name: "x", text }, 5)).toThrow(words);
      expect(reading.about).toEqual(markOf(one));
      expect(reading.batch(5, false)).toEqual(dataOf(one.text).batch(5));
    }
  });
});

describe("a checkpoint", () => {
  const settings: Settings = { cell: "lstm", embedding: 3, hidden: 4, layers: 2, batch: 2, window: 5, learningRate: 0.01, seed: 1 };
  const text = { name: "a.txt", text: "the sea was calm and the ship was slow. ".repeat(4) };
  let backend: Backend;
  let file: Uint8Array<ArrayBuffer>;
  let seed = 12345;
  const random = (below: number): number => (((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32) * below) | 0;
  const pick = <T>(values: readonly T[]): T => values[random(values.length)];

  beforeAll(async () => {
    backend = await createBackend("cpu");
    const run = await Run.create(settings, text, backend, () => undefined);
    const control = new AbortController();
    await run.train(control.signal, async ({ step }) => {
      if (step === 3) control.abort();
    });
    file = await run.checkpoint();
  });

  /** The result of opening a file: a run, or an error in words. Anything else is a fault. */
  async function outcome(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    try {
      await Run.open(bytes, text, backend);
      return "opened";
    } catch (error) {
      expect(error, `${String(error)} is no RnnError`).toBeInstanceOf(RnnError);
      expect((error as RnnError).message.length).toBeLessThan(800);
      return (error as RnnError).message;
    }
  }

  it("has as many parameters as its settings say", async () => {
    for (const cell of ["lstm", "gru", "rnn"] as const) {
      for (const layers of [1, 2, 3]) {
        const run = await Run.create({ ...settings, cell, layers }, text, backend, () => undefined);
        expect(run.info().parameters).toBe(parameterCount({ ...settings, cell, layers }, run.info().vocabulary));
      }
    }
  });

  it("is opened, with its text or without", async () => {
    expect(await outcome(file)).toBe("opened");
    expect((await Run.open(file, text, backend)).info()).toMatchObject({ step: 3, hasText: true, textName: "a.txt" });
    expect((await Run.open(file, { name: "b", text: `${text.text}!` }, backend)).info()).toMatchObject({
      step: 3,
      hasText: false,
      textName: "a.txt",
    });
  });

  it.each(readdirSync(new URL("../fixtures/checkpoints/", import.meta.url)))("is refused in words: %s", async (name) => {
    const bytes = new Uint8Array(readFileSync(new URL(`../fixtures/checkpoints/${name}`, import.meta.url)));
    expect(await outcome(bytes)).not.toBe("opened");
  });

  it("is refused before its settings' memory is taken", async () => {
    const { tensors, metadata } = decodeSafetensors(file);
    const huge = { ...settings, hidden: 4096, layers: 8, embedding: 4096 };
    const before = process.memoryUsage().arrayBuffers;
    const said = await outcome(encodeSafetensors(tensors, { ...metadata, settings: JSON.stringify(huge) }));
    expect(said).toMatch(/a network of its settings has 1,0\d\d,\d{3},\d{3} parameters, the file holds \d{3}/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
  });

  it("is opened or refused in words, whatever is changed in its header", async () => {
    const hostile: readonly unknown[] = [
      null,
      0,
      -1,
      1.5,
      1e9,
      1e308,
      NaN,
      "",
      "x",
      "1e400",
      "NaN",
      [],
      {},
      true,
      [1],
      ["a", "a"],
      ["ab"],
      [[["a"]]],
      { length: 1e9 },
      "\u0000",
      "\ud800",
      "9".repeat(30),
      { toString: 1 },
      2 ** 53,
      "__proto__",
    ];
    const counts = { opened: 0, refused: 0 };
    for (let i = 0; i < 400; i++) {
      const { tensors, metadata } = decodeSafetensors(file);
      const changed: Record<string, string> = { ...metadata };
      const key = pick(Object.keys(metadata));
      const value = pick(hostile);
      if (["settings", "text", "vocabulary"].includes(key) && random(4) > 0) {
        const inner = JSON.parse(metadata[key]) as Record<string, unknown>;
        const name = pick(Object.keys(inner));
        if (random(5) === 0) Reflect.deleteProperty(inner, name);
        else inner[name] = value;
        changed[key] = JSON.stringify(inner);
      } else if (random(6) === 0) Reflect.deleteProperty(changed, key);
      else changed[key] = typeof value === "string" ? value : JSON.stringify(value);
      const said = await outcome(encodeSafetensors(tensors, changed));
      counts[said === "opened" ? "opened" : "refused"]++;
    }
    expect(counts.refused).toBeGreaterThan(200);
  });

  it("is opened or refused in words, whatever is changed in its tensors", async () => {
    const counts = { opened: 0, refused: 0 };
    for (let i = 0; i < 240; i++) {
      const { tensors, metadata } = decodeSafetensors(file);
      const name = pick(Object.keys(tensors));
      const { shape, data } = tensors[name];
      const values = Float32Array.from(data);
      if (i % 6 === 0) Reflect.deleteProperty(tensors, name);
      else if (i % 6 === 1) tensors[name] = { shape: [...shape].reverse(), data: values };
      else if (i % 6 === 2) values[random(values.length)] = pick([NaN, Infinity, -Infinity, 1e38]);
      else if (i % 6 === 3) tensors[`${name}.${pick(["x", "y", "__proto__"])}`] = { shape: [1], data: Float32Array.of(1) };
      else if (i % 6 === 4) tensors[name] = { shape, data: Int32Array.from(data) };
      else tensors[name] = { shape: [values.length + 1], data: Float32Array.from({ length: values.length + 1 }) };
      if (i % 6 === 2) tensors[name] = { shape, data: values };
      counts[(await outcome(encodeSafetensors(tensors, metadata))) === "opened" ? "opened" : "refused"]++;
    }
    expect(counts.refused).toBeGreaterThan(120);
  });

  it("is opened or refused in words, whatever bytes are changed or missing", async () => {
    for (let i = 0; i < 1500; i++) {
      const bytes = file.slice(0, i % 3 === 0 ? random(file.length) : file.length);
      for (let flips = i % 3 === 0 ? 0 : 1 + random(4); flips > 0; flips--) {
        // Mostly in the header, where there is more to break.
        bytes[random(random(2) === 0 ? 16 : 2500)] = random(256);
      }
      await outcome(bytes);
    }
  });

  it("gives settings that have nothing but settings", async () => {
    expect(Object.keys(readCheckpoint(file).settings).sort()).toEqual(Object.keys(settings).sort());
  });
});
