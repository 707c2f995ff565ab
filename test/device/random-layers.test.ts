/** A few layers at random; test/long/random-layers.test.ts draws many. */
import { describe, it } from "vitest";
import { expectRandomLayers } from "./random-layers.ts";

describe("layers drawn at random give the float64 values", () => {
  it("on the CPU", () => expectRandomLayers("cpu", 1, 10));
  it("on WebGPU", () => expectRandomLayers("webgpu", 1, 4));
});
