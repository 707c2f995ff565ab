import { describe, expect, it } from "vitest";
import { packParams } from "../../src/backend/webgpu/pack-params.ts";
import { defineKernel } from "../../src/kernels/kernel.ts";
import type { Command } from "../../src/recording/recording.ts";

const kernelOf = (params: Readonly<Record<string, "f32" | "u32" | "i32">>) =>
  defineKernel({ name: "test", sources: [], bindings: {}, params, workgroups: () => [1, 1, 1] });
const dispatch = (types: Readonly<Record<string, "f32" | "u32" | "i32">>, params: Readonly<Record<string, number>>): Command =>
  ({ kind: "dispatch", kernel: kernelOf(types), views: {}, params }) as unknown as Command;
const other = { kind: "clear" } as Command;

describe("params of a recording", () => {
  it("are 32-bit words of their types, in the order of the contract and a stride of 256 bytes apart", () => {
    const types = { length: "u32", factor: "f32", shift: "i32" } as const;
    const { bytes, offsets } = packParams([
      other,
      dispatch(types, { shift: -2, factor: 0.3, length: 4_000_000_000 }),
      dispatch({ n: "u32" }, { n: 7 }),
    ]);
    const view = new DataView(bytes);
    expect(offsets).toEqual([-1, 0, 256]);
    expect([view.getUint32(0, true), view.getFloat32(4, true), view.getInt32(8, true), view.getUint32(256, true)]).toEqual([
      4_000_000_000,
      Math.fround(0.3),
      -2,
      7,
    ]);
    expect(bytes.byteLength).toBe(512);
  });

  it("are there once if types and values are equal, and only then", () => {
    const { offsets, bytes } = packParams([
      dispatch({ a: "u32", b: "u32" }, { a: 1, b: 12 }),
      dispatch({ a: "u32", b: "u32" }, { a: 11, b: 2 }),
      dispatch({ a: "u32", b: "f32" }, { a: 1, b: 12 }),
      dispatch({ c: "u32", d: "u32" }, { c: 1, d: 12 }),
    ]);
    expect(offsets).toEqual([0, 256, 512, 0]);
    expect(bytes.byteLength).toBe(768);
  });

  it("take one block where there are none, since a bound buffer must not be empty", () => {
    expect(packParams([other, dispatch({}, {})]).bytes.byteLength).toBe(256);
    expect(packParams([]).bytes.byteLength).toBe(256);
  });
});
