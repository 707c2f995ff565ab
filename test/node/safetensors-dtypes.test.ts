// The number types of safetensors files: short integers and floats of eight bits are read, halves are written.
import { describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "webgpu-rnn/formats";

/** A file of one tensor of this type. */
function fileOf(dtype: string, bytes: readonly number[], count: number): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify({ x: { dtype, shape: [count], data_offsets: [0, bytes.length] } }));
  const file = new Uint8Array(8 + header.length + bytes.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  file.set(bytes, 8 + header.length);
  return file;
}

// Values of F8 from the paper that defines them: 448 is the largest E4M3, 57344 the largest E5M2.
it.each([
  ["I8", [0, 1, 127, 128, 255], [0, 1, 127, -128, -1]],
  ["I16", [1, 0, 255, 255, 0, 128], [1, -1, -32768]],
  ["U16", [1, 0, 255, 255, 0, 128], [1, 65535, 32768]],
  ["F8_E4M3", [0x38, 0xb8, 0x7e, 0x01, 0x08, 0x7f], [1, -1, 448, 2 ** -9, 2 ** -6, NaN]],
  ["F8_E5M2", [0x3c, 0xbc, 0x7b, 0x01, 0x7c], [1, -1, 57344, 2 ** -16, Infinity]],
] as const)("%s is read as numbers", (dtype, bytes, values) => {
  expect([...decodeSafetensors(fileOf(dtype, bytes, values.length)).tensors.x.data]).toEqual(values);
});

describe.each(["F16", "BF16"] as const)("dtype %s", (dtype) => {
  const bits = dtype === "F16" ? 11 : 8;

  it("writes floats in two bytes, each within half of its last bit, and integers as they are", () => {
    const data = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i) * 2 ** ((i % 20) - 10));
    const ids = Uint32Array.of(1, 70000);
    const { tensors } = decodeSafetensors(encodeSafetensors({ w: { shape: [1000], data }, ids: { shape: [2], data: ids } }, {}, { dtype }));
    data.forEach((value, i) => expect(Math.abs(tensors.w.data[i] - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -bits));
    expect(tensors.ids.data).toEqual(ids);
  });

  it("rounds to the nearest, and of two equally near ones to the even", () => {
    const [last, half] = [2 ** (1 - bits), 2 ** -bits];
    const values = [1 + half, 1 + last + half, 1 + half * 1.01, -1 - half];
    const { tensors } = decodeSafetensors(encodeSafetensors({ w: { shape: [4], data: values } }, {}, { dtype }));
    expect([...tensors.w.data]).toEqual([1, 1 + 2 * last, 1 + last, -1]);
  });

  it("refuses what would become infinite", () => {
    const data = [1, dtype === "F16" ? 65520 : 3.4e38];
    expect(() => encodeSafetensors({ w: { shape: [2], data } }, {}, { dtype })).toThrow(`infinite in ${dtype}`);
  });
});
