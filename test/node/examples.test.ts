// The examples at a small size; those that have to train for some seconds to be seen to learn are in test/long/examples.test.ts.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createBackend } from "webgpu-rnn";
import { adding, addingBatch, addingModel, cells } from "../../examples/adding.ts";
import { attentionPicture } from "../../examples/attention-picture.ts";
import { digits } from "../../examples/digits.ts";
import { flowPicture } from "../../examples/flow-picture.ts";
import { gradientFlows, longReach } from "../../examples/flow.ts";
import { forecast, series } from "../../examples/forecast.ts";
import { names, spelt } from "../../examples/names.ts";
import { editDistance, pronunciations } from "../../examples/phonemes.ts";
import { uniformFrom } from "../../examples/random.ts";
import { embeddedReber, reber } from "../../examples/reber.ts";
import { root } from "../../scripts/bundle.mjs";
import { itThoroughly, sampled } from "../thorough.ts";

const program = (...args: string[]): [string, string[]] => [
  process.execPath,
  [join(root, "scripts/run-ts.mjs"), "examples/run.ts", ...args],
];

describe("pronouncing words", () => {
  it("reads the dictionary: letters only, first pronunciations, no stress", () => {
    const all = pronunciations(4);
    expect(all.find(({ word }) => word === "ABLE")?.phonemes).toEqual(["EY", "B", "AH", "L"]);
    expect(all.every(({ word, phonemes }) => /^[A-Z]{1,4}$/.test(word) && phonemes.every((p) => /^[A-Z]+$/.test(p)))).toBe(true);
  });

  it("counts edits", () => {
    expect(editDistance(Array.from("kitten"), Array.from("sitting"))).toBe(3);
    expect(editDistance([], Array.from("abc"))).toBe(3);
    expect(editDistance(Array.from("abc"), Array.from("abc"))).toBe(0);
  });
});

describe("first names", () => {
  it("are those of one list only, with their sex", () => {
    const all = names();
    const sexOf = new Map(all.map(({ letters, sex }) => [spelt(letters), sex]));
    expect([sexOf.get("Aarika"), sexOf.get("Aaron"), sexOf.get("Abbe")]).toEqual([0, 1, undefined]);
    expect(sexOf.size).toBe(all.length);
  });
});

describe("the embedded Reber grammar", () => {
  it("is learnt in 150 steps, except for the symbol that must be remembered", async () => {
    const { ranked, remembered } = await reber({ backend: await createBackend("cpu"), strings: 200, heldOut: 50, hidden: 16, steps: 150 });
    expect(ranked).toBeGreaterThan(0.9);
    expect(remembered).toBeGreaterThan(0.4);
  });

  it("has strings whose last symbol but one is the second one", () => {
    const uniform = uniformFrom(3);
    for (let i = 0; i < 100; i++) {
      const { text, legal } = embeddedReber(uniform);
      expect(text).toMatch(/^B([TP])B[TP][TSXPV]*[SV]E\1E$/);
      expect(legal.every((allowed, t) => allowed.includes(text[t]))).toBe(true);
    }
  });
});

describe("the adding problem", () => {
  it("over 12 steps is solved by a GRU better than by always saying 1", async () => {
    const { error, ofOne } = await adding({ backend: await createBackend("cpu"), cell: "GRU", length: 12, hidden: 16, steps: 250 });
    expect(ofOne).toBeCloseTo(1 / 6, 1);
    expect(error).toBeLessThan(ofOne / 4);
  });

  it("marks one number in each half, and asks for their sum", () => {
    const { input, targets } = addingBatch(10, 7, 1);
    for (let b = 0; b < 7; b++) {
      const at = (t: number): number => (t * 7 + b) * 2;
      const marked = Array.from({ length: 10 }, (_, t) => t).filter((t) => input.data[at(t) + 1] === 1);
      expect(marked.map((t) => t < 5)).toEqual([true, false]);
      expect(targets.data[b]).toBeCloseTo(input.data[at(marked[0])] + input.data[at(marked[1])], 6);
    }
  });

  it("is tried on an IRNN that begins as the identity", async () => {
    const { "0.weight_hh_l0": weight } = await (await addingModel("IRNN", 3)).stateDict();
    expect([...weight.data]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(cells).toContain("IRNN");
  });
});

describe("gradient flow", () => {
  it("reaches further back in an IRNN than in a plain RNN, and is drawn, a square for each number", async () => {
    const flows = await gradientFlows({ backend: await createBackend("cpu"), length: 20, hidden: 16, steps: 30 });
    expect(flows.map(({ title }) => title)).toEqual(cells.flatMap((cell) => [`${cell} before`, `${cell} after`]));
    const reach = (title: string): number => longReach(flows.find((flow) => flow.title === title)!.norms);
    expect(reach("IRNN before")).toBeGreaterThan(100 * reach("tanh before"));
    const picture = flowPicture(flows);
    expect(picture.match(/fill-opacity="/g)).toHaveLength(8 * 20 * 21);
    // Above the diagonal, where k > t, nothing reaches.
    expect(picture.match(/fill-opacity="0.000"/g)!.length).toBeGreaterThanOrEqual((8 * (20 * 19)) / 2);
  });
});

describe("handwritten digits", () => {
  it("are ten thousand, from 0 to 1", () => {
    const all = digits();
    expect(all).toHaveLength(10000);
    expect(all[0].pixels).toHaveLength(784);
    expect(new Set(all.map(({ digit }) => digit)).size).toBe(10);
  });
});

describe("a forecast", () => {
  it("is better than that all stays as it is after 150 steps, and says how sure it is", async () => {
    const { error, ofStaying, covered, first } = await forecast({
      backend: await createBackend("cpu"),
      length: 900,
      hidden: 16,
      steps: 150,
      samples: 10,
    });
    expect(error).toBeLessThan(ofStaying * 0.8);
    expect(covered).toBeGreaterThan(0.8);
    expect(first).toBeGreaterThan(0);
  });

  it("is of a series without end or repetition", () => {
    const values = series(500);
    expect(values.every((x) => Math.abs(x) < 1)).toBe(true);
    expect(new Set(values).size).toBe(500);
  });
});

describe("an attention picture", () => {
  it("has dark squares where weights are great, and names what would be markup", () => {
    const picture = attentionPicture(["<", "b"], ["x"], [0.25, 0.75]);
    expect(picture).toContain('x="64" y="64" width="28" height="28" fill-opacity="0.250"');
    expect(picture).toContain('x="92" y="64" width="28" height="28" fill-opacity="0.750"');
    expect(picture).toContain("&#60;");
  });
});

describe("npm run example", () => {
  itThoroughly("trains, and says what came of it", () => {
    const [command, args] = program("reverse", "--steps", "3", "--backend", "cpu");
    expect(execFileSync(command, args, { encoding: "utf8", cwd: root })).toMatch(
      /^reverse on CPU.*\n\d+ of 100 new words came back right \(\d+ s\)\n$/,
    );
  });

  it.each(sampled([[[]], [["nothing"]], [["reverse", "--backend", "abacus"]], [["reverse", "--steps", "many"]]], 1))(
    "lists the examples when asked with %j",
    (words) => {
      const [command, args] = program(...words);
      const { status, stderr } = spawnSync(command, args, { encoding: "utf8", cwd: root });
      expect(status).toBe(2);
      expect(stderr).toContain("usage: npm run example -- NAME");
      expect(stderr).toContain("reverse: writes words");
    },
  );
});
