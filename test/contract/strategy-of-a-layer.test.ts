// The strategy that an op takes, asked for or not; explainStrategy, which choose-strategy.test.ts is about, asks for none.
import { describe, expect, it } from "vitest";
import type { LayerShape } from "webgpu-rnn";
import { Avoided } from "../../src/kernels/self-test.ts";
import type { DeviceProfile } from "../../src/kernels/device-profile.ts";
import { profileVersion } from "../../src/kernels/device-profile.ts";
import type { Target } from "../../src/recording/target.ts";
import { strategyFor, takesWavefront } from "../../src/recurrent/choose.ts";
import { Measured } from "../../src/recurrent/strategies/measured.ts";
import { stepTimes } from "../../src/recurrent/strategies/step-times.ts";
import type { strategyNames } from "../../src/recurrent/strategies/all-strategies.ts";

const target = (of: Partial<Target> = {}): Target => ({
  kind: "webgpu",
  isGpu: false,
  mostThreads: 256,
  mostElements: 2 ** 25,
  stepTimes,
  avoided: new Avoided(),
  ...of,
});
const layer = (of: Partial<LayerShape> = {}): LayerShape => ({ T: 10, B: 4, H: 16, G: 4, training: true, ...of });
const failing = (kernel: string): Avoided => new Avoided([{ kernel, problem: "wrong" }]);

/** A step costs 1 ms, a loop 10 ms, whatever the layer. */
const stepIsFaster: DeviceProfile = {
  version: profileVersion,
  adapter: "by hand",
  units: [16],
  rows: [4],
  fixed: { forward: { loop: 0, step: 0 }, backward: { loop: 0, step: 0 } },
  forward: { loop: [[10]], step: [[1]] },
  backward: { loop: [[10]], step: [[1]] },
  products: { blocks: [], whole: [], split: [] },
};

describe("the strategy of a layer", () => {
  const chosen = (asked: (typeof strategyNames)[number] | undefined, of: Partial<LayerShape> = {}, on = target()): string =>
    strategyFor("rnn", asked, layer(of), on).name;

  it("is the best one if none was asked for, else the one asked for", () => {
    expect([undefined, "loop", "step"].map((asked) => chosen(asked as "loop" | undefined))).toEqual(["loop", "loop", "step"]);
    const on = target({ measured: new Measured(stepIsFaster) });
    expect([undefined, "loop", "step"].map((asked) => chosen(asked as "loop" | undefined, {}, on))).toEqual(["step", "loop", "step"]);
    expect(chosen("scan", { linear: true })).toBe("scan");
  });

  it("is the step where the wavefront was asked for and there is one layer, and only there", () => {
    expect(chosen("wavefront")).toBe("step");
    expect(chosen("wavefront", { layers: 2 })).toBe("wavefront");
    expect(chosen("loop", { layers: 2 })).toBe("loop");
  });

  it("is the step where the self-test found a kernel of the one asked for wrong", () => {
    const on = target({ avoided: failing("loop-forward:lstm:32x4") });
    expect([chosen("loop", {}, on), chosen(undefined, {}, on), chosen("step", {}, on)]).toEqual(["step", "step", "step"]);
    expect(chosen("scan", { linear: true }, on)).toBe("scan");
    expect(chosen("scan", { linear: true }, target({ avoided: failing("scan-forward:min-gru") }))).toBe("step");
  });

  it("names the reason and another strategy where the one asked for cannot run the layer", () => {
    expect(() => chosen("loop", { H: 257 })).toThrow(
      'rnn: strategy "loop" needs at most 256 units, which is what a workgroup holds, got 257; use "step"',
    );
    expect(() => chosen("scan")).toThrow(/strategy "scan" needs a cell without a recurrent product.*; use "loop"/);
    expect(() => chosen("wavefront", { layers: 2, phases: 2 })).toThrow(/strategy "wavefront" has no kernels .*; use "loop"/);
  });
});

describe("the loop on a GPU whose workgroups have 1,024 threads", () => {
  const on = target({ isGpu: true, mostThreads: 1024 });
  const chosen = (asked: "loop" | undefined, of: Partial<LayerShape>): string => strategyFor("rnn", asked, layer(of), on).name;

  it("runs as many units, if nothing but the units' products keeps threads busy", () => {
    expect([512, 1024].map((H) => chosen("loop", { H }))).toEqual(["loop", "loop"]);
    expect(chosen("loop", { H: 512, phases: 2, half: true, lanes: 2 })).toBe("loop");
    expect(() => chosen("loop", { H: 1025 })).toThrow("needs at most 1024 units, which is what a workgroup holds, got 1025");
    for (const more of [{ heads: 2 }, { regularized: "row" }] as const)
      expect(() => chosen("loop", { H: 258, ...more }), JSON.stringify(more)).toThrow("needs at most 256 units");
  });

  it("is taken beyond 256 units where reading the weights in each step is estimated to cost less than a dispatch", () => {
    const from = (of: Partial<LayerShape>) => [264, 328, 392, 456, 512].map((H) => chosen(undefined, { H, ...of })[0]).join("");
    expect([from({}), from({ half: true }), from({ G: 1 }), from({ G: 1, B: 64 })]).toEqual(["llsss", "lllls", "lllls", "llsss"]);
    // A second product reads the weights again, but a step would have another dispatch too.
    expect(from({ G: 1, phases: 2 })).toBe(from({ G: 1 }));
  });
});

describe("stacked layers share their dispatches", () => {
  const takes = (asked: (typeof strategyNames)[number] | undefined, of: Partial<LayerShape> = {}, on = target()): boolean =>
    takesWavefront(asked, layer({ layers: 3, ...of }), on);

  it("if that was asked for, or nothing was and it is the best", () => {
    expect(takes("wavefront")).toBe(true);
    // Nothing runs 300 units but steps, which layers may share.
    expect(takes(undefined, { H: 300 })).toBe(true);
    expect(takes(undefined)).toBe(false);
    expect(takes(undefined, {}, target({ measured: new Measured(stepIsFaster) }))).toBe(true);
  });

  it("not if something else was asked for, however good it is", () => {
    for (const asked of ["loop", "step", "scan"] as const)
      expect(takes(asked, { H: 300 }, target({ measured: new Measured(stepIsFaster) })), asked).toBe(false);
  });

  it("not where it cannot run them, even if it was asked for", () => {
    expect(takes("wavefront", { layers: 1 })).toBe(false);
    expect(takes("wavefront", { regularized: "row" })).toBe(false);
    expect(takes("wavefront", { recomputes: true })).toBe(false);
    expect(takes("wavefront", { recomputes: true, training: false })).toBe(true);
    expect(takes("wavefront", {}, target({ kind: "cpu" }))).toBe(false);
    expect(takes("wavefront", {}, target({ mostElements: 100 }))).toBe(false);
    expect(takes(undefined, { H: 300, phases: 2 }, target({ measured: new Measured(stepIsFaster) }))).toBe(false);
  });
});
