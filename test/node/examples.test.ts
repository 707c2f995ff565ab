// The examples at a small size: what `npm run example` trains at length is seen to learn in seconds.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createBackend } from "webgpu-rnn/full";
import { attentionPicture } from "../../examples/attention-picture.ts";
import { editDistance, pronounce, pronunciations } from "../../examples/phonemes.ts";
import { reverse } from "../../examples/reverse.ts";
import { root } from "../../scripts/bundle.mjs";

const program = (...args: string[]): [string, string[]] => [process.execPath, [join(root, "scripts/run-ts.mjs"), "examples/run.ts", ...args]];

describe("reversing words", () => {
  it("works on 9 of 10 new words after 400 steps, if they are short", async () => {
    const backend = await createBackend("cpu");
    const share = await reverse({ backend, letters: 6, longest: 5, hidden: 24, steps: 400 });
    expect(share).toBeGreaterThan(0.9);
  }, 60_000);
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
  }, 60_000);

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

describe("an attention picture", () => {
  it("has dark squares where weights are great, and names what would be markup", () => {
    const picture = attentionPicture(["<", "b"], ["x"], [0.25, 0.75]);
    expect(picture).toContain('x="64" y="64" width="28" height="28" fill-opacity="0.250"');
    expect(picture).toContain('x="92" y="64" width="28" height="28" fill-opacity="0.750"');
    expect(picture).toContain("&#60;");
  });
});

describe("npm run example", () => {
  it("trains, and says what came of it", () => {
    const [command, args] = program("reverse", "--steps", "3", "--backend", "cpu");
    expect(execFileSync(command, args, { encoding: "utf8", cwd: root })).toMatch(/^reverse on CPU.*\n\d+ of 100 new words came back right\n$/);
  }, 60_000);

  it.each([[[]], [["nothing"]], [["reverse", "--steps", "many"]], [["reverse", "--backend", "abacus"]]])("lists the examples when asked with %j", (words) => {
    const [command, args] = program(...words);
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8", cwd: root });
    expect(status).toBe(2);
    expect(stderr).toContain("usage: npm run example -- NAME");
    expect(stderr).toContain("reverse: writes words");
  }, 60_000);
});
