/**
 * The least time that a stream's call can take on one thread with SIMD of four numbers. Of a single stream, each frame
 * reads every weight and multiplies it once: a loop that does only this, over as many weights in a row. A weight can serve
 * the frames of several streams, so there: as many multiply-adds of numbers in registers.
 */
import { flopsOf, type Case } from "../cases.ts";
import type { Library, Subject } from "../library.ts";
import bytes from "./floor.as";

/** It computes nothing that the twins could know. */
export const open = (): Promise<Library[]> =>
  Promise.resolve([
    {
      name: "floor",
      backend: "wasm",
      adapter: "CPU, WASM SIMD, one thread",
      modes: ["stream"],
      required: () => [],
      refuses: () => undefined,
      prepare,
    },
  ]);

async function prepare(of: Case): Promise<Subject> {
  const { steps, batch } = of;
  /** Multiply-adds of a frame of one stream. */
  const weights = flopsOf(of) / 2 / steps / batch;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * weights + 128) / 65536) });
  new Float32Array(memory.buffer).fill(0.25);
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
  const { streamed, registers } = instance.exports as Record<string, (count: number) => number>;
  const [loops, rounds] = [Math.ceil(weights / 32), Math.ceil((batch * weights) / 48)];
  const frame = batch === 1 ? () => streamed(loops * 128) : () => registers(rounds);
  // 32 products of 0.5 and 0.25 a loop; or 48 sums, in each round half of themselves and the number of rounds.
  const expected = batch === 1 ? 4 * loops : 96 * rounds * (1 - 2 ** -rounds);
  return {
    check() {
      if (!(Math.abs(frame() / expected - 1) < 1e-4)) throw new Error(`it gives ${frame()} instead of ${expected}`);
      return Promise.resolve({});
    },
    run(times) {
      for (let i = 0; i < times * steps; i++) frame();
      return Promise.resolve();
    },
    free: () => undefined,
  };
}
