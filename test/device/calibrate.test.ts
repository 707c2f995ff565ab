/** Measuring a device, and whether recordings go by the result. */
import { describe, expect, it } from "vitest";
import { calibrate, createBackend, gradients, LSTM, type Backend, type DeviceProfile } from "webgpu-rnn";
import { planFor } from "../../src/session/plan.ts";
import { Session } from "../../src/session/session.ts";
import { backend, expectClose } from "./support.ts";
import { profileVersion } from "../../src/kernels/device-profile.ts";

/** The kernels that a forward pass of an LSTM of 16 units dispatches here. */
async function kernelsOn(on: Backend, strategy?: "loop" | "step"): Promise<string[]> {
  const input = { shape: [3, 2, 4], data: new Float32Array(24) };
  const { plan } = planFor(new LSTM(4, 16, { seed: 1 }), { input }, { differentiates: false, strategy });
  const { context, program } = await Session.of(new LSTM(4, 16, { seed: 1 }), on).make(plan, () => undefined);
  program.free();
  return context.recording.commands.flatMap((command) => (command.kind === "dispatch" ? [command.kernel.name] : []));
}

const numbersIn = (value: unknown): unknown[] =>
  typeof value === "object" && value !== null ? Object.values(value).flatMap(numbersIn) : typeof value === "string" ? [] : [value];

function profileOf({ adapter }: Backend, loop: number, step: number): DeviceProfile {
  const pass = { loop: [[loop]], step: [[step]] };
  return {
    version: profileVersion,
    adapter,
    units: [64],
    rows: [4],
    fixed: { forward: { loop, step }, backward: { loop, step } },
    forward: pass,
    backward: pass,
    products: { blocks: [256], whole: [1], split: [2] },
  };
}

describe("calibrate", () => {
  it("measures finite, positive times once, and what it was spared fits the device again", async () => {
    const on = await createBackend("webgpu");
    expect(on.profile).toBeUndefined();
    const [profile, same] = await Promise.all([calibrate(on), calibrate(on)]);
    expect(same).toBe(profile);
    expect(on.profile).toBe(profile);
    const submits = on.counters.submits;
    expect(await calibrate(on)).toBe(profile);
    expect(on.counters.submits).toBe(submits);
    const numbers = numbersIn(profile);
    expect(numbers.length).toBeGreaterThan(20);
    expect(numbers.filter((n) => !(typeof n === "number" && n > 0 && n < 1e9))).toEqual([]);
    const bytes = on.counters.bytes;
    on.destroy();
    expect(bytes, "nothing of it stays in the device's memory").toBe(0);
    const stored = JSON.parse(JSON.stringify(profile)) as DeviceProfile;
    const next = await createBackend("webgpu", { profile: stored });
    expect(next.profile).toEqual(profile);
    next.destroy();
  });

  it("has nothing to measure on the CPU", async () => {
    expect(await calibrate(await backend("cpu"))).toBeUndefined();
  });

  it("wants a backend", async () => {
    await expect(calibrate({} as Backend)).rejects.toThrow("calibrate: backend must come from createBackend, got an Object");
  });
});

describe("a profile", () => {
  it("decides how a layer is recorded, and an explicit strategy overrules it", async () => {
    const plain = await backend("webgpu");
    for (const [loop, step, chosen, other] of [
      [1, 2, "loop", "step"],
      [2, 1, "step", "loop"],
    ] as const) {
      const on = await createBackend("webgpu", { profile: profileOf(plain, loop, step) });
      expect((await kernelsOn(on)).filter((name) => name.includes("forward")).map((name) => name.split("-")[0])[0]).toBe(chosen);
      expect((await kernelsOn(on, other)).filter((name) => name.includes("forward")).map((name) => name.split("-")[0])[0]).toBe(other);
      on.destroy();
    }
  });

  it("decides whether a weight's gradient shares its sums, to the same values", async () => {
    const plain = await backend("webgpu");
    const profile = { ...profileOf(plain, 1, 2), products: { blocks: [4096], whole: [2], split: [1] } };
    const on = await createBackend("webgpu", { profile });
    const input = { shape: [70, 4, 12], data: Float32Array.from({ length: 70 * 48 }, (_, i) => Math.sin(i)) };
    const cotangents = { output: { shape: [70, 4, 20], data: Float32Array.from({ length: 70 * 80 }, (_, i) => Math.cos(i)) } };
    const of = async (on: Backend) =>
      (await gradients(new LSTM(12, 20, { seed: 1 }), input, cotangents, { backend: on })).gradients.parameters;
    const [whole, split, again] = [await of(plain), await of(on), await of(on)];
    const { plan } = planFor(new LSTM(12, 20), { input }, { differentiates: true });
    const { context, program } = await Session.of(new LSTM(12, 20), on).make(plan, ({ tape, output, recording }) => {
      tape.seed(output, recording.buffer("dy", output.shape));
      tape.backward();
    });
    program.free();
    expect(
      context.recording.commands.filter((command) => command.kind === "dispatch" && command.kernel.name === "matmul-split:tn-small-sums"),
    ).toHaveLength(2);
    for (const [name, { data }] of Object.entries(whole)) {
      expectClose(name, split[name].data, data);
      expect(again[name].data, `${name} in a second run`).toEqual(split[name].data);
    }
    on.destroy();
  });

  it("of another adapter is left aside", async () => {
    const on = await createBackend("webgpu", { profile: { ...profileOf(await backend("webgpu"), 2, 1), adapter: "another" } });
    expect(on.profile).toBeUndefined();
    on.destroy();
  });

  it("that is none is refused on every backend", async () => {
    for (const kind of ["cpu", "webgpu"] as const) {
      await expect(createBackend(kind, { profile: { version: profileVersion, adapter: "x" } as DeviceProfile })).rejects.toThrow(
        "createBackend: profile must be what calibrate returned: units must hold",
      );
    }
  });
});
