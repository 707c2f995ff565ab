// Damaged and hostile files: each is either loaded exactly as written, or refused as a whole with an error in words.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { crossEntropy, createBackend, adam, Embedding, GRU, Linear, RnnError, Sequential, TextData, Trainer } from "webgpu-rnn";
import { decodeSafetensors, encodeSafetensors } from "webgpu-rnn/formats";
import { sampled } from "../thorough.ts";

type Draw = (count: number) => number;
function drawer(seed: number): Draw {
  let state = seed;
  return (count) => Math.floor(((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * count);
}
const oneOf = <T>(draw: Draw, list: readonly T[]): T => list[draw(list.length)];

/** Splits a file, so that its header can be changed. */
function opened(file: Uint8Array): { header: string; data: Uint8Array } {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return { header: new TextDecoder().decode(file.subarray(8, 8 + length)), data: file.subarray(8 + length) };
}
function closed(header: string, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}
const edited = (file: Uint8Array, change: (header: string) => string): Uint8Array => {
  const { header, data } = opened(file);
  return closed(change(header), data);
};

const values = [
  "-1",
  "0",
  "1",
  "3",
  "0.5",
  "1e9",
  "4294967296",
  "9007199254740992",
  "1e300",
  "-0",
  "null",
  "true",
  '"x"',
  "[]",
  "{}",
  "[1,1]",
  '"\\ud800"',
  "1e999",
  "[[[[[]]]]]",
  `"${"y".repeat(1000)}"`,
];
const names = [
  "__proto__",
  "constructor",
  "toString",
  "__metadata__",
  "",
  "weight",
  "optimizer.firstMoment.",
  "carried.",
  "0",
  "rnn.weight_ih_l0",
  "\\u0000",
];
const texts = [
  "",
  " 1 ",
  "-1",
  "1.5",
  "0x10",
  "1e3",
  "NaN",
  "9007199254740993",
  "1".repeat(400),
  "null",
  "{}",
  '{\\"a\\":-1}',
  '{\\"rnn.weight_ih_l0\\":1e300}',
  "[".repeat(1000),
];

/** All that is done to files, by name. */
const mutations: Readonly<Record<string, (file: Uint8Array, draw: Draw) => Uint8Array>> = {
  "flipped bits": (file, draw) => {
    const changed = file.slice();
    for (let i = draw(4); i >= 0; i--) changed[draw(changed.length)] ^= 1 << draw(8);
    return changed;
  },
  "flipped bits in the header": (file, draw) => {
    const changed = file.slice();
    const end = file.length - opened(file).data.length;
    for (let i = draw(3); i >= 0; i--) changed[draw(end)] ^= 1 << draw(8);
    return changed;
  },
  "its end cut off": (file, draw) => file.slice(0, draw(file.length)),
  "bytes behind its end": (file, draw) => new Uint8Array([...file, ...new Uint8Array(1 + draw(20))]),
  "bytes lost within": (file, draw) => {
    const [from, count] = [draw(file.length), 1 + draw(16)];
    return new Uint8Array([...file.slice(0, from), ...file.slice(from + count)]);
  },
  "another length of the header": (file, draw) => {
    const changed = file.slice();
    new DataView(changed.buffer).setBigUint64(
      0,
      oneOf(draw, [0n, 1n, 2n, BigInt(file.length), BigInt(file.length - 8), 2n ** 31n, 2n ** 53n, 2n ** 64n - 1n]),
      true,
    );
    return changed;
  },
  "another number in the header": (file, draw) =>
    edited(file, (header) => {
      const numbers = [...header.matchAll(/(?<=[[,:])\d+(?=[\],])/g)];
      const { index, 0: number } = oneOf(draw, numbers);
      return header.slice(0, index) + oneOf(draw, values) + header.slice(index + number.length);
    }),
  "another value in the header": (file, draw) =>
    edited(file, (header) => {
      const parts = [...header.matchAll(/(?<=:)(\[[^[\]{}]*\]|"[^"]*"|\{[^{}]*\})/g)];
      const { index, 0: part } = oneOf(draw, parts);
      return header.slice(0, index) + oneOf(draw, values) + header.slice(index + part.length);
    }),
  "another name in the header": (file, draw) =>
    edited(file, (header) => {
      const { index, 0: name } = oneOf(draw, [...header.matchAll(/"[^"]*"(?=:)/g)]);
      return `${header.slice(0, index)}"${oneOf(draw, names)}"${header.slice(index + name.length)}`;
    }),
  "another dtype": (file, draw) =>
    edited(file, (header) => {
      const { index, 0: dtype } = oneOf(draw, [...header.matchAll(/(?<="dtype":)"[^"]*"/g)]);
      return (
        header.slice(0, index) +
        JSON.stringify(
          oneOf(draw, ["F64", "F32", "F16", "BF16", "I64", "I32", "U32", "U8", "BOOL", "F8_E4M3", "f32", "", "__proto__", "toString"]),
        ) +
        header.slice(index + dtype.length)
      );
    }),
  "another text in the metadata": (file, draw) =>
    edited(file, (header) => {
      const entry = oneOf(draw, ["step", "seed", "optimizer", "format", "updates"]);
      return header
        .replace(new RegExp(`"${entry}":"[^"]*"`), "")
        .replace("{,", "{")
        .replace(",,", ",")
        .replace('"__metadata__":{', `"__metadata__":{"${entry}":"${oneOf(draw, texts)}",`)
        .replace(",}", "}");
    }),
  "an entry twice": (file, draw) =>
    edited(file, (header) => {
      const [entry] = oneOf(draw, [...header.matchAll(/"[^"]+":\{"dtype"[^}]*\}/g)]);
      return `{${entry},${header.slice(1)}`;
    }),
  "an entry lost": (file, draw) =>
    edited(file, (header) => header.replace(oneOf(draw, [...header.matchAll(/,"[^"]+":\{"dtype"[^}]*\}/g)])[0], "")),
  "two tensors changed over": (file, draw) =>
    edited(file, (header) => {
      const places = [...header.matchAll(/"data_offsets":\[\d+,\d+\]/g)].map(([place]) => place);
      const [one, other] = [oneOf(draw, places), oneOf(draw, places)];
      return header.replace(one, "§").replace(other, one).replace("§", other);
    }),
  "numbers that are not finite": (file, draw) => {
    const changed = file.slice();
    const { data } = opened(file);
    new DataView(changed.buffer).setUint32(
      file.length - data.length + 4 * draw(Math.floor(data.length / 4)),
      oneOf(draw, [0x7fc00000, 0x7f800000, 0xff800000]),
      true,
    );
    return changed;
  },
};

/** Reads a float32 file by a few lines that are not the package's. */
function float32Of(file: Uint8Array): Record<string, number[]> {
  const { header, data } = opened(file);
  const entries = Object.entries(JSON.parse(header) as Record<string, { dtype: string; data_offsets: [number, number] }>).filter(
    ([name, { dtype }]) => name !== "__metadata__" && dtype === "F32",
  );
  return Object.fromEntries(
    entries.map(
      ([
        name,
        {
          data_offsets: [first, last],
        },
      ]) => [name, [...new Float32Array(data.slice(first, last).buffer)]],
    ),
  );
}

const small = (): Sequential => new Sequential({ embedding: new Embedding(5, 2), rnn: new GRU(2, 3), out: new Linear(3, 5) }, { seed: 1 });
const asFile = async (model: Sequential): Promise<Uint8Array> => encodeSafetensors(await model.stateDict(), { by: "test" });

/** Loads a file; what it gives is compared with the file's own bytes. */
async function tryLoad(
  file: Uint8Array,
  load: (file: Uint8Array) => unknown,
  state: () => Promise<Uint8Array>,
  what: string,
): Promise<boolean> {
  const before = await state();
  const { arrayBuffers } = process.memoryUsage();
  let failure: unknown;
  try {
    await load(file);
  } catch (error) {
    failure = error;
  }
  expect(process.memoryUsage().arrayBuffers - arrayBuffers, what).toBeLessThan(2 ** 21);
  const after = await state();
  if (failure !== undefined) {
    expect(failure, what).toBeInstanceOf(RnnError);
    expect((failure as RnnError).message.length, what).toBeLessThan(600);
    expect(after, what).toEqual(before);
    return false;
  }
  const [held, written] = [float32Of(after), float32Of(file)];
  for (const [name, numbers] of Object.entries(written))
    if (Object.hasOwn(held, name)) expect(held[name], `${what}: ${name}`).toEqual(numbers);
  return true;
}

const seeds = sampled(
  Array.from({ length: 25 }, (_, seed) => seed),
  10,
);
describe.each(Object.entries(mutations))("a file with %s", (name, mutate) => {
  it("of weights is loaded as it reads, or refused and the model left as it was", async () => {
    const model = small();
    const whole = await asFile(small());
    for (const seed of seeds) {
      const file = mutate(whole, drawer(seed + 1));
      await tryLoad(
        file,
        (bytes) => model.loadStateDict(decodeSafetensors(bytes).tensors),
        () => asFile(model),
        `${name}, seed ${seed}`,
      );
    }
  });

  it("of a training is restored as it reads, or refused and the trainer left as it was", async () => {
    const backend = await createBackend("cpu");
    const make = (): Trainer =>
      new Trainer(small(), {
        backend,
        data: TextData.from("abcdeabcdeabcdeabcde", { batch: 2, steps: 3 }),
        loss: crossEntropy(),
        optimizer: adam(),
      });
    const first = make();
    await first.train({ steps: 3 });
    const whole = await first.checkpoint();
    const trainer = make();
    await trainer.train({ steps: 1 });
    for (const seed of seeds) {
      const file = mutate(whole, drawer(seed + 1));
      await tryLoad(
        file,
        (bytes) => trainer.restore(bytes),
        () => trainer.checkpoint(),
        `${name}, seed ${seed}`,
      );
    }
    backend.destroy();
  });
});

it("a whole file is loaded, from PyTorch too", async () => {
  const model = small();
  expect(
    await tryLoad(
      await asFile(new Sequential({ embedding: new Embedding(5, 2), rnn: new GRU(2, 3), out: new Linear(3, 5) }, { seed: 2 })),
      (bytes) => model.loadStateDict(decodeSafetensors(bytes).tensors),
      () => asFile(model),
      "whole",
    ),
  ).toBe(true);
});

it("a damaged file of PyTorch's is read or refused", () => {
  const whole = new Uint8Array(readFileSync("test/fixtures/pytorch-files/gru_seq.safetensors"));
  for (const [name, mutate] of Object.entries(mutations))
    for (let seed = 0; seed < 20; seed++) {
      if (name === "another text in the metadata") continue;
      try {
        decodeSafetensors(mutate(whole, drawer(seed + 1)));
      } catch (error) {
        expect(error, `${name}, seed ${seed}`).toBeInstanceOf(RnnError);
      }
    }
});
