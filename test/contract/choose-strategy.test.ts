// The choice of a strategy, with profiles made by hand.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chooseStrategy, explainStrategy, type DeviceProfile, type LayerShape } from "webgpu-rnn";
import { strategies, strategyNames } from "../../src/recurrent/strategies/all-strategies.ts";
import { hasFallback } from "../../src/backend/self-test/tested.ts";
import { anyCpu } from "../../src/recording/target.ts";
import { Avoided } from "../../src/kernels/self-test.ts";
import { profileFits, profileVersion } from "../../src/kernels/device-profile.ts";
import { checkProfile } from "../../src/kernels/stored.ts";

/** On 64 and 256 units by 4 and 64 rows; the loop is cheap in small layers, a step's dispatch costs 20 µs forward and back. */
const profile: DeviceProfile = {
  version: profileVersion,
  adapter: "by hand",
  units: [64, 256],
  rows: [4, 64],
  fixed: { forward: { loop: 2, step: 20 }, backward: { loop: 2, step: 20 } },
  forward: {
    loop: [
      [10, 20],
      [40, 160],
    ],
    step: [
      [25, 30],
      [30, 40],
    ],
  },
  backward: {
    loop: [
      [20, 40],
      [80, 320],
    ],
    step: [
      [25, 30],
      [35, 60],
    ],
  },
  products: { blocks: [256], whole: [10], split: [20] },
};
const layer = (of: Partial<LayerShape>): LayerShape => ({ T: 100, B: 4, H: 64, G: 4, training: false, ...of });
const predicted = (of: Partial<LayerShape>) => explainStrategy(layer(of), profile).milliseconds!;

describe("chooseStrategy", () => {
  it("takes the loop up to what a workgroup holds where nothing was measured", () => {
    const regularized = "row";
    expect([16, 256, 257, 1024].map((H) => chooseStrategy(layer({ H, B: 16, G: 1, regularized, training: true }), undefined))).toEqual([
      "loop",
      "loop",
      "step",
      "step",
    ]);
  });

  it("answers for workgroups of as many threads as it is told", () => {
    const by = (of: Partial<LayerShape>, threads?: number) => chooseStrategy(layer(of), undefined, undefined, threads);
    // 400 units of a vanilla RNN: 256 threads cannot hold them, and with 1,024 each step reads little.
    expect([undefined, 256, 512, 1024].map((threads) => by({ H: 400, G: 1 }, threads))).toEqual(["step", "step", "step", "loop"]);
    expect(() => by({}, 255)).toThrow("mostThreads must be an integer of at least 256, got 255");
  });

  it("takes the strategy that was measured to be faster", () => {
    const by = (H: number, B: number) => chooseStrategy(layer({ H, B, training: true }), profile);
    expect([by(64, 4), by(64, 64), by(256, 4), by(256, 64)]).toEqual(["loop", "loop", "step", "step"]);
  });

  it("changes its mind once as layers and batches grow", () => {
    const along = (shapes: Partial<LayerShape>[]): string => shapes.map((of) => chooseStrategy(layer(of), profile)[0]).join("");
    expect(along([8, 32, 64, 96, 128, 160, 192, 224, 256].map((H) => ({ H, B: 16, training: true })))).toMatch(/^l+s+$/);
    expect(along([1, 4, 8, 16, 32, 64, 128, 512].map((B) => ({ B, H: 128, training: true })))).toMatch(/^l+s+$/);
  });

  it("takes the step where a workgroup cannot hold the layer, however fast the loop", () => {
    const fast = {
      ...profile,
      forward: {
        ...profile.forward,
        loop: [
          [1, 1],
          [1, 1],
        ],
      },
    };
    expect(chooseStrategy(layer({ H: 256 }), fast)).toBe("loop");
    expect(chooseStrategy(layer({ H: 257 }), fast)).toBe("step");
  });

  it("prefers the loop within the error of a measurement", () => {
    const close = (loop: number): DeviceProfile => ({
      ...profile,
      forward: {
        loop: [
          [loop, loop],
          [loop, loop],
        ],
        step: [
          [100, 100],
          [100, 100],
        ],
      },
    });
    expect([chooseStrategy(layer({}), close(109)), chooseStrategy(layer({}), close(111))]).toEqual(["loop", "step"]);
  });
});

describe("explainStrategy", () => {
  it("predicts what was measured at the points of the grid", () => {
    expect(predicted({})).toEqual({ scan: Infinity, loop: 1, step: 2.5, wavefront: Infinity });
    const { loop, step } = predicted({ H: 256, B: 64, training: true });
    expect([loop, step].map((ms) => ms.toFixed(9))).toEqual(["48.000000000", "10.000000000"]);
  });

  it("interpolates logarithms in between, keeps the edge's value below the grid and extrapolates above it", () => {
    expect(predicted({ B: 16 }).loop).toBeCloseTo(Math.sqrt(1 * 2), 9);
    expect(predicted({ H: 128 }).loop).toBeCloseTo(Math.sqrt(1 * 4), 9);
    expect(predicted({ H: 3, B: 1 }).loop).toBe(1);
    expect(predicted({ H: 256, B: 64 * 16 }).loop).toBeCloseTo(64, 9);
  });

  it("counts rows as the kernels take them, by fours, and lanes as rows", () => {
    expect(predicted({ B: 61 })).toEqual(predicted({ B: 64 }));
    expect(predicted({ B: 16, lanes: 4 })).toEqual(predicted({ B: 64 }));
  });

  it("takes dispatches and barriers of a step for every cell alike, once a phase, and the rest by its gates", () => {
    expect(predicted({ G: 1 }).loop).toBeCloseTo((2 + ((10 - 2) * 2) / 5) / 10, 9);
    expect(predicted({ G: 1 }).step).toBeCloseTo((20 + ((25 - 20) * 2) / 5) / 10, 9);
    expect(predicted({ G: 3, phases: 2 }).step).toBeCloseTo((2 * 20 + ((25 - 20) * 4) / 5) / 10, 9);
  });

  it("takes as long for layers one after the other as for each of them, and as long as T+L-1 steps for those that share them", () => {
    const [one, two] = [predicted({ H: 512 }), predicted({ H: 512, layers: 2 })];
    expect(two.step).toBeCloseTo(2 * one.step, 9);
    expect(two.wavefront).toBeCloseTo(predicted({ H: 512, T: 101, lanes: 2 }).step, 9);
    expect(explainStrategy(layer({ H: 512, layers: 2 }), profile).strategy).toBe("wavefront");
    expect(explainStrategy(layer({ H: 512, layers: 2, phases: 2 }), profile).strategy).toBe("step");
  });

  it("knows that regularized layers have a workgroup for each row in the loop, and two dispatches a step", () => {
    expect(predicted({ regularized: "row", B: 16 }).loop).toBeCloseTo(predicted({ B: 64 }).loop, 9);
    expect(predicted({ regularized: "row" }).step).toBeCloseTo(predicted({ phases: 2 }).step, 9);
    expect(predicted({ regularized: "batch" }).loop).toBe(Infinity);
  });

  it("takes the scan of a linear layer, whatever was measured", () => {
    for (const known of [profile, undefined]) {
      const { strategy, text } = explainStrategy(layer({ linear: true, layers: 3, training: true }), known);
      expect(strategy).toBe("scan");
      expect(text).toBe("T 100, B 4, H 64, G 4, 3 layers, linear, training: scan (computes the steps side by side)");
    }
    expect(chooseStrategy(layer({ linear: true, regularized: "row" }), undefined)).not.toBe("scan");
  });

  it("takes the loop, or steps, where the self-test found the scan wrong, and says so", () => {
    const failing = (...kernels: string[]) => ({
      version: "1",
      adapter: "any",
      tested: 9,
      failures: kernels.map((kernel) => ({ kernel, problem: "wrong" })),
    });
    const one = explainStrategy(layer({ linear: true }), undefined, failing("scan-forward:min-gru"));
    expect(one.text).toBe("T 100, B 4, H 64, G 4, linear, forward: loop (the self-test found the scan wrong on this device; no profile)");
    const both = failing("scan-backward:min-gru", "loop-forward:min-gru:64x4");
    expect(chooseStrategy(layer({ linear: true }), undefined, both)).toBe("step");
    expect(hasFallback(both.failures[0], new Avoided(both.failures))).toBe(true);
  });

  it("estimates, without a profile, from what number of units on a GPU's loop loses by reading all weights in each step", () => {
    const chosen = (shape: Partial<LayerShape>) =>
      [32, 64, 128, 160, 192, 224, 256].map((H) => chooseStrategy(layer({ H, ...shape }), undefined)[0]).join("");
    expect(chosen({ G: 4, B: 16 })).toBe("lllssss");
    expect(chosen({ G: 3, B: 16 })).toBe("lllssss");
    expect(chosen({ G: 1, B: 16 })).toBe("llllsss");
    // In a large batch a loop has more workgroups, and each reads all weights.
    expect(chosen({ G: 4, B: 128 })).toBe("llsssss");
    // Both phases read all weights again; halves are read in half the time, but wait as often; heads read little.
    expect(chosen({ G: 3, B: 16, phases: 2 })).toBe("lllssss");
    expect(chosen({ G: 4, B: 16, half: true })).toBe("llllsss");
    expect(chosen({ G: 4, B: 16, heads: 2 })).toBe("lllllll");
    expect(chosen({ G: 4, B: 16, regularized: "row" })).toBe("lllssss");
    expect(explainStrategy(layer({ H: 256 }), undefined).text).toBe(
      "T 100, B 4, H 256, G 4, forward: step (loop would read all weights in each step: on a GPU an estimated 11.0 µs a step instead of 7.4; no profile)",
    );
  });

  it("says it in a line", () => {
    expect(explainStrategy(layer({ training: true }), profile).text).toBe(
      "T 100, B 4, H 64, G 4, training: loop (predicted: loop 3.00 ms, step 5.00 ms)",
    );
    expect(explainStrategy(layer({ H: 512 }), profile).text).toBe(
      "T 100, B 4, H 512, G 4, forward: step (predicted: step 3.29 ms; loop needs at most 256 units, which is what a workgroup holds, got 512)",
    );
    expect(explainStrategy(layer({}), undefined).text).toBe(
      "T 100, B 4, H 64, G 4, forward: loop (one dispatch for all steps; no profile)",
    );
  });
});

describe("docs/strategies.md", () => {
  it("lists what each strategy refuses, in the words of its error", () => {
    const shape = {
      T: 10,
      B: 4,
      H: 512,
      G: 4,
      phases: 1,
      lanes: 1,
      layers: 1,
      heads: 1,
      linear: false,
      half: false,
      regularized: "none",
      recomputes: false,
      training: true,
    } as const;
    const rows = strategyNames.flatMap((name) =>
      strategies[name].refusals.map(
        (refusal) => `| "${name}" | ${refusal.layers} | ${refusal.because(shape, anyCpu).replace(", got 512", "")} |`,
      ),
    );
    const text = readFileSync(new URL("../../docs/strategies.md", import.meta.url), "utf8");
    expect(text.split("\n").filter((line) => line.startsWith('| "'))).toEqual(rows);
  });
});

describe("a profile handed in", () => {
  const check = (value: unknown) => () => checkProfile("createBackend", value);

  it("may come through JSON", () => {
    expect(check(JSON.parse(JSON.stringify(profile)))).not.toThrow();
  });

  it("fits its own adapter and version", () => {
    expect([
      profileFits(profile, "by hand"),
      profileFits(profile, "another"),
      profileFits({ ...profile, version: profileVersion + 1 }, "by hand"),
    ]).toEqual([true, false, false]);
    expect(check({ version: profileVersion + 1, adapter: "by hand" }), "of another version, it may have any form").not.toThrow();
  });

  it.each([
    ["no object", "fast", 'got "fast"'],
    ["without a version", { adapter: "by hand" }, 'version and adapter must be a number and a string, got undefined and "by hand"'],
    ["with a part missing", { ...profile, backward: undefined }, "backward.loop at 64 units must hold 2 positive numbers, got undefined"],
    [
      "with too short a row",
      { ...profile, forward: { ...profile.forward, step: [[1, 2], [3]] } },
      "forward.step at 256 units must hold 2 positive numbers, got [3]",
    ],
    [
      "with a time of nothing",
      { ...profile, fixed: { ...profile.fixed, forward: { loop: 0, step: 1 } } },
      "fixed.forward.loop must hold 1 positive numbers, got [0]",
    ],
    ["with NaN, which JSON makes null", { ...profile, rows: [4, null] }, "rows must hold 2 positive numbers, got [4, null]"],
    [
      "with fewer products than sizes",
      { ...profile, products: { ...profile.products, split: [] } },
      "products.split must hold 1 positive numbers, got []",
    ],
    ["in disorder", { ...profile, units: [256, 64] }, "units must ascend, got [256, 64]"],
  ])("is refused %s", (_, value, message) => {
    expect(check(value)).toThrow(`createBackend: profile must be what calibrate returned: ${message}; leave it out and calibrate again`);
  });
});
