/** Many layers at random, a part of them at a time, so that a failure names its seeds. */
import { describe, it } from "vitest";
import { expectRandomLayers } from "../device/random-layers.ts";

const parts = Array.from({ length: 10 }, (_, i) => 1000 * (i + 1));

describe("layers drawn at random give the float64 values", () => {
  it.each(parts)("100 on the CPU, from seed %i", (first) => expectRandomLayers("cpu", first, 100));
  it.each(parts)("20 on WebGPU, from seed %i", (first) => expectRandomLayers("webgpu", first, 20));
});
