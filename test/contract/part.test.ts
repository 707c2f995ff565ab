// Code that is loaded when it is needed.
import { afterAll, describe, expect, it } from "vitest";
import { createBackend, gradients, Linear, RnnError } from "webgpu-rnn";
import { Part } from "../../src/part.ts";

/** A layer whose code arrives when `arrive` is called. */
class Late extends Linear {
  arrive!: () => void;
  private readonly late = new Part("late", () => new Promise<object>((resolve) => (this.arrive = () => resolve({}))));

  override get furtherCode(): readonly Part<unknown>[] {
    return [this.late];
  }
}

const backend = await createBackend("cpu");
afterAll(() => backend.destroy());

describe("a part of the package", () => {
  it("is loaded once, and what failed is tried again", async () => {
    let tries = 0;
    const part = new Part("projSize", async () => {
      if (++tries === 1) throw new TypeError("Failed to fetch dynamically imported module");
      return { value: tries };
    });
    expect(part.now).toBeUndefined();
    const error = await part.load().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RnnError);
    expect(error).toMatchObject({
      kind: "load",
      where: "projSize",
      message: expect.stringMatching(/^projSize: its code could not be loaded: Failed to fetch .*; check the connection/) as string,
    });
    expect(await part.load()).toEqual({ value: 2 });
    await part.load();
    expect(part.now).toEqual({ value: 2 });
    expect(tries).toBe(2);
  });

  it("makes a call wait, which still sees inputs and frozen parameters of its own moment", async () => {
    const model = new Late(2, 3, { seed: 1 });
    const input = new Float32Array(8).fill(1);
    const given = { output: { shape: [2, 2, 3], data: new Float32Array(12).fill(1) } };
    const running = gradients(model, { shape: [2, 2, 2], data: input }, given, { backend });
    model.freeze();
    input.fill(100);
    await new Promise((resolve) => setTimeout(resolve));
    model.arrive();
    const { parameters } = (await running).gradients;
    expect(Array.from(parameters.weight.data)).toEqual([4, 4, 4, 4, 4, 4]);
    expect(Array.from(parameters.bias.data)).toEqual([4, 4, 4]);
    const later = await gradients(model, { shape: [2, 2, 2], data: input }, given, { backend });
    expect(later.gradients.parameters).toEqual({});
  });
});
