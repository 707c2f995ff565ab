/** Short-time Fourier transforms against NumPy's, against each other, and against finite differences. */
import { describe, expect, it } from "vitest";
import { forward, tensor, type Tensor } from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { checkGradients } from "./gradient-check.ts";
import { Operated, type Operation } from "./operation-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";

const signal = tensor([Array.from({ length: 20 }, (_, i) => Math.sin(0.7 * i) + 0.3 * Math.cos(2.1 * i))]);

describe.each(kinds)("on %s", (kind) => {
  const run = async (operation: Operation, x: Tensor): Promise<Tensor> =>
    (await forward(new Operated([1], operation), x, { backend: await backend(kind) })).output;

  // numpy.fft.rfft of frames of numpy.pad(x, 4, mode="reflect") times a periodic Hann window.
  it("the transform is NumPy's of the windowed frames", async () => {
    const { shape, data } = await run((c, x) => ops.stft(c, x, { size: 8, hop: 3 }), signal);
    expect(shape).toEqual([1, 10, 7]);
    const row = (at: number): number[] => [...data.slice(7 * at, 7 * at + 7)];
    expectClose("real part of frequency 1", row(1), [-0.65391883, -1.8054668, 1.7123595, -0.089081051, -1.7878898, 1.7289886, -0.31830092]);
    expectClose("imaginary part of frequency 2", row(5 + 2), [0, 0.43497257, 0.43002611, -0.82458426, 0.46940792, 0.43974096, -1.0783238]);
  });

  it.each<[string, ops.StftOptions, number]>([
    ["a Hann window", { size: 8, hop: 3 }, 20],
    ["an odd size", { size: 7, hop: 2 }, 20],
    ["the usual hop", { size: 12, window: "hamming" }, 20],
    ["frames side by side that are not centred", { size: 5, hop: 5, window: "rectangular", center: false }, 20],
    ["given factors, and two signals", { size: 4, hop: 1, window: [0.5, 1, 2, 0.25] }, 9],
  ])("the inverse gives the signal back: %s", async (_, options, samples) => {
    const x = { shape: [2, samples], data: numbers(2 * samples, 4) };
    const back = await run((c, v) => ops.istft(c, ops.stft(c, v, options), options), x);
    const length = back.shape[1];
    expect(length).toBeGreaterThan(samples - (options.hop ?? 3));
    for (const row of [0, 1])
      expectClose("signal", back.data.slice(row * length, (row + 1) * length), x.data.slice(row * samples, row * samples + length));
  });
});

it("both have the gradients of finite differences", async () => {
  const options = { size: 6, hop: 2 };
  const x = { shape: [2, 9], data: Float64Array.from(numbers(18, 4)) };
  await checkGradients(new Operated([8, 1], (c, v, p) => ops.multiply(c, ops.stft(c, v, options), p)), { input: x });
  const filtered: Operation = (c, v, p) => ops.istft(c, ops.multiply(c, ops.stft(c, v, options), p), options);
  await checkGradients(new Operated([8, 1], filtered), { input: x });
});

describe("what does not fit is refused in words:", () => {
  it.each<[string, Operation, string]>([
    [
      "a signal that is too short",
      (c, x) => ops.stft(c, x, { size: 64 }),
      "ops.stft: x must be [batch, samples] with at least 33 samples, got [1, 20]",
    ],
    [
      "a window of another size",
      (c, x) => ops.stft(c, x, { size: 8, window: [1, 2] }),
      "ops.stft: window must have 8 factors, one for each sample, got 2",
    ],
    ["another window", (c, x) => ops.stft(c, x, { size: 8, window: "kaiser" as "hann" }), "ops.stft: window must be"],
    [
      "a spectrum of another size",
      (c, x) => ops.istft(c, ops.stft(c, x, { size: 8 }), { size: 6 }),
      "ops.istft: spectrum must be [batch, 8, frames] for a size of 6, got [1, 10, 11]",
    ],
    [
      "samples that no window covers",
      (c, x) => ops.istft(c, ops.stft(c, x, { size: 8, hop: 8, center: false }), { size: 8, hop: 8, center: false }),
      "ops.istft: sample 0 has no window above 0; use a smaller hop, center: true, or another window",
    ],
  ])("%s", async (_, operation, message) => {
    await expect(forward(new Operated([1], operation), signal, { backend: await backend("cpu") })).rejects.toThrow(message);
  });
});
