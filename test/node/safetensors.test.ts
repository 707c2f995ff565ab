import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Linear, RnnError, type Tensor } from "webgpu-rnn";
import { decodeSafetensors, encodeSafetensors } from "webgpu-rnn/formats";
import { anyText } from "./any-text.ts";

/** A file from a header, as text or as an object, and data. */
function file(header: unknown, data: Uint8Array | number = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + json.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(body, 8 + json.length);
  return bytes;
}

function problem(bytes: Uint8Array | ArrayBuffer): string {
  try {
    decodeSafetensors(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).kind).toBe("format");
    return (error as RnnError).message;
  }
  return expect.fail("the file was accepted");
}

const f32 = (shape: number[], first: number, last: number): object => ({ dtype: "F32", shape, data_offsets: [first, last] });

const arrays = [
  (values: number[]) => Float32Array.from(values),
  (values: number[]) => Float64Array.from(values),
  (values: number[]) => Int32Array.from(values),
  (values: number[]) => Uint32Array.from(values),
];
const anyTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }), fc.constantFrom(...arrays), fc.infiniteStream(fc.double()))
  .map(([shape, make, numbers]) => ({ shape, data: make([...numbers.take(shape.reduce((p, n) => p * n, 1))]) }));
const anyName = fc.oneof(
  anyText(),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("", "rnn.weight_ih_l0", "__proto__", "constructor", "重み", "🐋", '"\\\u0000'),
);

describe("safetensors", () => {
  it("gives back what was written, whatever shapes, names, numbers and texts there are", () => {
    const anyFile = fc.tuple(
      fc.dictionary(
        anyName.filter((n) => n !== "__metadata__"),
        anyTensor,
        { maxKeys: 5 },
      ),
      fc.dictionary(anyName, anyText()),
    );
    fc.assert(
      fc.property(anyFile, ([tensors, metadata]) => {
        const read = decodeSafetensors(encodeSafetensors(tensors, metadata));
        expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(tensors).sort());
        for (const [name, { shape, data }] of Object.entries(tensors)) {
          const [, found] = Object.entries(read.tensors).find(([other]) => other === name)!;
          expect(found.shape).toEqual(shape);
          expect(found.data.constructor).toBe(data.constructor);
          // Compares bytes, so that NaN and -0 count exactly.
          expect(new Uint8Array(found.data.buffer)).toEqual(new Uint8Array(data.buffer));
        }
        expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
      }),
      { numRuns: 200 },
    );
  });

  it("writes the bytes that the format prescribes", () => {
    const bytes = encodeSafetensors(
      { "rnn.weight": { shape: [1, 2], data: Float32Array.of(1, -2) }, n: { shape: [], data: Int32Array.of(7) } },
      { by: "test" },
    );
    const header =
      '{"__metadata__":{"by":"test"},"rnn.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"n":{"dtype":"I32","shape":[],"data_offsets":[8,12]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + padded.length))).toBe(padded);
    expect([...bytes.subarray(0, 8)]).toEqual([padded.length, 0, 0, 0, 0, 0, 0, 0]);
    expect([...bytes.subarray(8 + padded.length)]).toEqual([0, 0, 128, 63, 0, 0, 0, 192, 7, 0, 0, 0]);
  });

  it("writes the part of a buffer that an array shows", () => {
    const data = Float32Array.of(0, 1, 2, 3).subarray(1, 3);
    expect(decodeSafetensors(encodeSafetensors({ x: { shape: [2], data } })).tensors.x.data).toEqual(Float32Array.of(1, 2));
  });

  it("reads from the middle of a buffer, and an ArrayBuffer", () => {
    const bytes = encodeSafetensors({ x: { shape: [2], data: Float32Array.of(1, 2) } });
    const longer = new Uint8Array(bytes.length + 5);
    longer.set(bytes, 3);
    expect(decodeSafetensors(longer.subarray(3, 3 + bytes.length)).tensors.x.data).toEqual(Float32Array.of(1, 2));
    expect(decodeSafetensors(bytes.buffer).tensors.x.data).toEqual(Float32Array.of(1, 2));
    expect(decodeSafetensors(Buffer.from(bytes)).tensors.x.data).toEqual(Float32Array.of(1, 2));
  });

  it.each([
    // PyTorch: torch.tensor([1.5, -2, 65504, 6e-8, 0.1]).half().view(torch.int16)
    [
      "F16",
      [0x3e00, 0xc000, 0x7bff, 0x0001, 0x2e66, 0x7c00, 0xfc00, 0x8000],
      [1.5, -2, 65504, 2 ** -24, 0.0999755859375, Infinity, -Infinity, -0],
    ],
    // torch.tensor([1, -2.5, 3.140625, inf]).bfloat16().view(torch.int16)
    ["BF16", [0x3f80, 0xc020, 0x4049, 0x7f80], [1, -2.5, 3.140625, Infinity]],
  ])("reads %s as float32", (dtype, bits, numbers) => {
    const { x } = decodeSafetensors(
      file({ x: { dtype, shape: [bits.length], data_offsets: [0, 2 * bits.length] } }, new Uint8Array(Uint16Array.from(bits).buffer)),
    ).tensors;
    expect(x.data).toEqual(Float32Array.from(numbers));
  });

  it("reads F16's NaN as NaN", () => {
    expect(
      decodeSafetensors(file({ x: { dtype: "F16", shape: [1], data_offsets: [0, 2] } }, Uint8Array.of(0, 0x7e))).tensors.x.data,
    ).toEqual(Float32Array.of(NaN));
  });

  it("reads I64 as float64, U8 and BOOL as uint32", () => {
    const data = new Uint8Array([...new Uint8Array(BigInt64Array.of(-3n, 2n ** 40n).buffer), 200, 1]);
    const { tensors } = decodeSafetensors(
      file(
        {
          i: { dtype: "I64", shape: [2], data_offsets: [0, 16] },
          u: { dtype: "U8", shape: [1], data_offsets: [16, 17] },
          b: { dtype: "BOOL", shape: [], data_offsets: [17, 18] },
        },
        data,
      ),
    );
    expect(tensors).toEqual({
      i: { shape: [2], data: Float64Array.of(-3, 2 ** 40) },
      u: { shape: [1], data: Uint32Array.of(200) },
      b: { shape: [], data: Uint32Array.of(1) },
    });
  });

  it("accepts null metadata and tensors in any order", () => {
    const { tensors, metadata } = decodeSafetensors(
      file({ __metadata__: null, b: f32([1], 4, 8), none: f32([0, 3], 4, 4), a: f32([], 0, 4) }, 8),
    );
    expect(Object.keys(tensors)).toEqual(["b", "none", "a"]);
    expect(metadata).toEqual({});
  });
});

describe("a file that is no whole safetensors file", () => {
  const whole = encodeSafetensors(
    { "rnn.weight": { shape: [2, 1], data: Float32Array.of(1, 2) }, bias: { shape: [1], data: Float64Array.of(3) } },
    { by: "test" },
  );

  it("is refused wherever it was cut off", () => {
    for (let length = 0; length < whole.length; length++) expect(problem(whole.subarray(0, length))).toMatch(/^safetensors: /);
  });

  it("names the tensor whose data are cut off", () => {
    expect(problem(whole.subarray(0, whole.length - 1))).toBe(
      'safetensors: the file is truncated: "bias" ends at byte 16 of the data, which has 15',
    );
  });

  it("is refused with bytes behind its end", () => {
    expect(problem(new Uint8Array([...whole, 0]))).toBe('safetensors: the data must end where "bias" does, at byte 16, but has 17 bytes');
  });

  it("is refused in words, whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(problem(bytes)).toMatch(/^safetensors: /);
      }),
    );
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 1, max: 9 }), (json, data) => {
        expect(problem(file(json, data))).toMatch(/^safetensors: /);
      }),
    );
  });

  it("is refused or read as before when a byte of it is wrong, but never breaks anything", () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const broken = whole.slice();
        broken[at] ^= change;
        try {
          decodeSafetensors(broken);
        } catch (error) {
          expect(error).toBeInstanceOf(RnnError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    [
      "a picture",
      Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]),
      "safetensors: this is no safetensors file: its first eight bytes are not the length of a header",
    ],
    [
      "a pickled PyTorch file",
      new TextEncoder().encode("PK\u0003\u0004\u0000\u0000\u0008\u0008archive/data.pkl"),
      /^safetensors: (this is no|the file is truncated or no) safetensors file/,
    ],
    [
      "a header of 2^63 bytes",
      Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 128, 1]),
      "safetensors: this is no safetensors file: its first eight bytes are not the length of a header",
    ],
    [
      "a header of one byte more than any has",
      Uint8Array.from([1, 0xe1, 0xf5, 5, 0, 0, 0, 0]),
      "safetensors: this is no safetensors file: its first eight bytes are not the length of a header",
    ],
    [
      "the longest header there may be, without its bytes",
      Uint8Array.from([0, 0xe1, 0xf5, 5, 0, 0, 0, 0]),
      "safetensors: the file is truncated or no safetensors file: its header of 100000000 bytes ends after the file's 8",
    ],
    ["an empty header and nothing else", new Uint8Array(8), "safetensors: this is no safetensors file: its header is not a JSON object"],
    [
      "a header longer than the file",
      Uint8Array.from([99, 0, 0, 0, 0, 0, 0, 0, 123, 125]),
      "safetensors: the file is truncated or no safetensors file: its header of 99 bytes ends after the file's 10",
    ],
    ["an array for a header", file("[]"), "safetensors: this is no safetensors file: its header is not a JSON object"],
    [
      "a header that is not UTF-8",
      new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28]),
      "safetensors: this is no safetensors file: its header is not a JSON object",
    ],
    [
      "an unknown type",
      file({ x: { dtype: "X7", shape: [1], data_offsets: [0, 1] } }, 1),
      'safetensors: "x" must have one of the types F64, F32, F16, BF16, I64, I32, U32, I16, I8, U16, U8, F8_E5M2, F8_E4M3, BOOL, got "X7"',
    ],
    [
      "a type that only looks known",
      file({ x: { dtype: "constructor", shape: [1], data_offsets: [0, 1] } }, 1),
      /"x" must have one of the types .*, got "constructor"/,
    ],
    ["no shape", file({ x: { dtype: "F32", data_offsets: [0, 4] } }, 4), 'safetensors: "x" has no valid shape and data_offsets'],
    ["a negative size", file({ x: f32([-1], 0, 4) }, 4), 'safetensors: "x" has no valid shape and data_offsets'],
    ["a fraction of an offset", file({ x: f32([1], 0.5, 4.5) }, 4), 'safetensors: "x" has no valid shape and data_offsets'],
    [
      "offsets that are text",
      file({ x: { dtype: "F32", shape: [1], data_offsets: ["0", "4"] } }, 4),
      'safetensors: "x" has no valid shape and data_offsets',
    ],
    [
      "a shape that the offsets do not hold",
      file({ x: f32([3], 0, 8) }, 8),
      'safetensors: "x" of shape [3] needs 12 bytes, its data_offsets give 8',
    ],
    ["offsets that run backwards", file({ x: f32([1], 4, 0) }, 4), 'safetensors: "x" of shape [1] needs 4 bytes, its data_offsets give -4'],
    [
      "offsets past the end",
      file({ x: f32([2], 0, 8) }, 4),
      'safetensors: the file is truncated: "x" ends at byte 8 of the data, which has 4',
    ],
    [
      "tensors that overlap",
      file({ x: f32([2], 0, 8), y: f32([2], 4, 12) }, 12),
      'safetensors: "y" must start at byte 8 of the data, where "x" ends, but starts at 4',
    ],
    [
      "a gap between tensors",
      file({ x: f32([1], 0, 4), y: f32([1], 8, 12) }, 12),
      'safetensors: "y" must start at byte 4 of the data, where "x" ends, but starts at 8',
    ],
    [
      "a gap before the first",
      file({ x: f32([1], 4, 8) }, 8),
      'safetensors: "x" must start at byte 0 of the data, where the header ends, but starts at 4',
    ],
    [
      "a tensor of more numbers than there are bytes on earth",
      file({ x: f32([2 ** 30, 2 ** 30, 2 ** 30], 0, 4) }, 4),
      /"x" of shape .* needs .* bytes, its data_offsets give 4/,
    ],
    ["metadata that are no texts", file({ __metadata__: { step: 3 } }), "safetensors: __metadata__ must be an object of texts"],
    ["null for a tensor", file({ x: null }), 'safetensors: "x" has no valid shape and data_offsets'],
  ])("is refused: %s", (_, bytes, message) => {
    const found = problem(bytes);
    if (typeof message === "string") expect(found).toBe(message);
    else expect(found).toMatch(message);
  });

  it("is refused: something that is no bytes at all", () => {
    expect(problem("text" as unknown as Uint8Array)).toBe('safetensors: the file must be a Uint8Array or ArrayBuffer, got "text"');
  });
});

describe("tensors that cannot be written", () => {
  const x = { shape: [1], data: Float32Array.of(1) };
  it.each([
    [
      "data that do not fill the shape",
      () => encodeSafetensors({ x: { shape: [2], data: Float32Array.of(1) } }),
      'encodeSafetensors: "x" of shape [2] must hold 2 numbers, got 1',
    ],
    [
      "data that are no numbers",
      () => encodeSafetensors({ x: { shape: [1], data: ["1"] as unknown as number[] } }),
      'encodeSafetensors: "x" must be numbers, got "1" at index 0',
    ],
    [
      "metadata that are no texts",
      () => encodeSafetensors({ x }, { step: 3 as unknown as string }),
      'encodeSafetensors: metadata "step" must be a text, got 3',
    ],
    [
      "metadata in place of a tensor",
      () => encodeSafetensors({ __metadata__: x }),
      'encodeSafetensors: no tensor can be named "__metadata__", where the format keeps its texts',
    ],
  ])("are refused: %s", (_, write, message) => {
    expect(write).toThrow(message);
  });
});

describe("messages about a file", () => {
  const long = "x".repeat(1e6);
  it.each([
    ["a type that there is not", file({ [long]: { ...f32([1], 0, 4), dtype: long } }, 4)],
    ["a shape that the offsets do not hold", file({ [long]: f32([3], 0, 8) }, 8)],
    ["a shape of many numbers", file({ x: f32(new Array<number>(100_000).fill(1), 0, 8) }, 8)],
    ["no shape", file({ [long]: {} })],
    ["offsets past the end", file({ [long]: f32([2], 0, 8) }, 4)],
    ["a gap", file({ [long]: f32([1], 4, 8) }, 8)],
    ["data left over", file({ [long]: f32([1], 0, 4) }, 8)],
  ])("quote little of it: %s", (_, bytes) => {
    expect(() => decodeSafetensors(bytes)).toThrow(RnnError);
    try {
      decodeSafetensors(bytes);
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(700);
    }
  });

  it("quote little of a state dictionary", () => {
    const model = new Linear(1, 1);
    for (const values of [{ [long]: [1] }, { weight: [[1]], bias: [1], [long]: [1] }]) {
      try {
        model.loadStateDict(values);
        expect.fail("was taken");
      } catch (error) {
        expect((error as Error).message.length).toBeLessThan(700);
      }
    }
    expect(() => encodeSafetensors({ [long]: { shape: [2], data: new Float32Array(1) } })).toThrow(/^.{0,700}$/s);
  });
});
