/** Times by the device's own clock. */
import { describe, expect, it } from "vitest";
import { createBackend, type Backend } from "webgpu-rnn";
import { Recording } from "../../src/recording/recording.ts";
import { lstm } from "../../src/recurrent/cells/lstm.ts";
import { recordTimeLoop } from "../../src/session/measure.ts";
import { backend, inPage } from "./support.ts";

const deviceOf = (on: Backend): GPUDevice => (on as unknown as { device: GPUDevice }).device;
const hasClock = (on: Backend): boolean => deviceOf(on).features.has("timestamp-query");

/** A time loop, in `parts` compute passes that do the same. */
function loops(on: Backend, parts: number): Recording {
  const recording = recordTimeLoop({ cell: lstm, strategy: "step", pass: "forward", T: 8, B: 4, H: 64, on });
  const commands = [...recording.commands];
  const [from, to] = ["from", "to"].map((label) => recording.buffer(label, [4]));
  for (let part = 1; part < parts; part++) {
    recording.copy(from, to);
    for (const command of commands) if (command.kind === "dispatch") recording.dispatch(command.kernel, command.views, command.params);
  }
  return recording;
}

type Marks = GPUComputePassTimestampWrites | undefined;

/** A backend, and what each compute pass that it begins from now on writes down. */
async function watched(): Promise<{ on: Backend; marks: Marks[] }> {
  const device = deviceOf(await createBackend("webgpu"));
  const marks: Marks[] = [];
  /** `target`, whose method `name` is `called` instead; all else goes to `target`. */
  const with_ = <T extends object>(target: T, name: keyof T, called: unknown): T =>
    new Proxy(target, {
      get: (_, key) => {
        if (key === name) return called;
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  const encoderOf = (descriptor?: GPUCommandEncoderDescriptor) => {
    const encoder = device.createCommandEncoder(descriptor);
    return with_(encoder, "beginComputePass", (pass: GPUComputePassDescriptor) => {
      marks.push(pass.timestampWrites);
      return encoder.beginComputePass(pass);
    });
  };
  return { on: await createBackend("webgpu", { device: with_(device, "createCommandEncoder", encoderOf) }), marks };
}

describe("a timed run", () => {
  // Not by comparing times: another program on the machine can make a run of one pass as long as one of seven.
  it.for([
    { parts: 1, repeat: 1 },
    { parts: 7, repeat: 1 },
    { parts: 1, repeat: 7 },
    { parts: 3, repeat: 5 },
  ])("lasts from the first pass to the last of $parts, repeated $repeat times", async ({ parts, repeat }, { skip }) => {
    if (!hasClock(await backend("webgpu"))) skip();
    const { on, marks } = await watched();
    const program = await on.prepare(loops(on, parts), new Map());
    // Twice: each run has a clock of its own.
    for (let run = 0; run < 2; run++) {
      marks.length = 0;
      const { downloads, milliseconds } = await program.run({}, { repeat, timed: true });
      await Promise.all([milliseconds, downloads]);
      const passes = parts * repeat;
      expect(marks).toHaveLength(passes);
      const begins = marks.map((mark) => mark?.beginningOfPassWriteIndex);
      const ends = marks.map((mark) => mark?.endOfPassWriteIndex);
      expect(begins, "the time at which a pass begins").toEqual(marks.map((_, i) => (i === 0 ? 0 : undefined)));
      expect(ends, "the time at which a pass ends").toEqual(marks.map((_, i) => (i === passes - 1 ? 1 : undefined)));
    }
    on.destroy();
  });

  it("leaves no rejection unhandled if the device ends before the time is read", async ({ skip }) => {
    const on = await createBackend("webgpu");
    if (inPage || !hasClock(on)) skip();
    const program = await on.prepare(loops(on, 2), new Map());
    const unhandled: unknown[] = [];
    const note = (reason: unknown): number => unhandled.push(reason);
    process.on("unhandledRejection", note);
    const { downloads } = await program.run({}, { timed: true });
    on.destroy();
    await expect(downloads).rejects.toThrow(/destroyed/);
    await new Promise((done) => setTimeout(done, 0));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  it("takes no longer than the host waits, and leaves nothing on the device", async ({ skip }) => {
    const on = await createBackend("webgpu");
    if (!hasClock(on)) skip();
    const program = await on.prepare(loops(on, 2), new Map());
    const { bytes } = on.counters;
    const started = performance.now();
    const { milliseconds, downloads } = await program.run({}, { repeat: 3, timed: true });
    const measured = await milliseconds;
    await downloads;
    const waited = performance.now() - started;
    expect(measured).toBeGreaterThan(0);
    // Browsers round times of the device to 0.1 ms.
    expect(measured).toBeLessThan(waited + 0.2);
    expect(on.counters.bytes).toBe(bytes);
    on.destroy();
  });

  it("has no time without dispatches, on a device without such a clock, on the CPU, and if it was not asked for", async () => {
    const found = await createBackend("webgpu");
    const without = new Proxy(deviceOf(found), {
      get: (device, name) => {
        if (name === "features") return new Set();
        const value = Reflect.get(device, name, device) as unknown;
        return typeof value === "function" ? (value.bind(device) as unknown) : value;
      },
    });
    const empty = new Recording();
    empty.download("end", empty.buffer("x", [4]));
    const backends = [await createBackend("webgpu", { device: without }), await backend("cpu"), found];
    for (const [i, on] of backends.entries()) {
      const program = await on.prepare(on === found ? empty : loops(on, 1), new Map());
      const { downloads, milliseconds } = await program.run({}, { timed: true });
      expect(await milliseconds, `backend ${i}`).toBeUndefined();
      expect(Object.keys(await downloads)).toEqual(["end"]);
    }
    const program = await found.prepare(loops(found, 1), new Map());
    expect((await program.run()).milliseconds).toBeUndefined();
    found.destroy();
  });
});
