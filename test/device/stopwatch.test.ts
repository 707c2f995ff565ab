/** Times by the device's own clock. */
import { describe, expect, it } from "vitest";
import { createBackend, type Backend } from "webgpu-rnn";
import { Recording } from "../../src/recording/recording.ts";
import { lstm } from "../../src/recurrent/cells/lstm.ts";
import { recordTimeLoop } from "../../src/session/measure.ts";
import { backend } from "./support.ts";

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

/** The least milliseconds of several runs. */
async function leastOf(on: Backend, recording: Recording, repeat = 1): Promise<number> {
  const program = await on.prepare(recording, new Map());
  let least = Infinity;
  for (let round = 0; round < 12; round++) {
    const { downloads, milliseconds } = await program.run({}, { repeat, timed: true });
    least = Math.min(least, (await milliseconds) ?? Infinity);
    await downloads;
  }
  program.free();
  return least;
}

describe("a timed run", () => {
  it("counts all of its passes and repetitions", async ({ skip }) => {
    const on = await backend("webgpu");
    if (!hasClock(on)) skip();
    // Seven times the work; other programs on the machine are in both.
    const [one, passes, repeated] = [await leastOf(on, loops(on, 1)), await leastOf(on, loops(on, 7)), await leastOf(on, loops(on, 1), 7)];
    expect(one).toBeGreaterThan(0);
    expect(passes / one, "of seven passes").toBeGreaterThan(2);
    expect(repeated / one, "of seven repetitions").toBeGreaterThan(2);
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
