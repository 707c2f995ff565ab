// What is written into a checkpoint is what is read from it, and nothing else is taken for one.
import { describe, expect, it } from "vitest";
import { RnnError } from "webgpu-rnn";
import { decodeSafetensors, encodeSafetensors } from "webgpu-rnn/formats";
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint } from "../../src/train/checkpoint.ts";

const some = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) });
const expected = { optimizerName: "adam", seed: 7 };
const whole: Checkpoint = {
  // Names that begin like those of the other parts, without their dot, are parameters' names.
  parameters: { "rnn.weight": some(1, 2), "optimizers.bias": some(3), carriedOver: some(4), "a.optimizer.b": some(5) },
  optimizer: { "firstMoment.rnn.weight": some(6, 7) },
  carried: { "carried.rnn.h": Float32Array.of(8, 9) },
  step: 12,
  updates: { "rnn.weight": 5 },
  seed: 7,
  optimizerName: "adam",
  metadata: { by: "test" },
};

/** The checkpoint with other texts; undefined takes one away. */
function withTexts(texts: Record<string, string | undefined>): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(encodeCheckpoint(whole));
  const changed = Object.entries({ ...metadata, ...texts }).filter(([, text]) => text !== undefined);
  return encodeSafetensors(tensors, Object.fromEntries(changed) as Record<string, string>);
}
const read = (texts: Record<string, string | undefined>): Checkpoint => decodeCheckpoint(withTexts(texts), expected);

describe("a checkpoint", () => {
  it("is read as it was written", () => {
    const { metadata, ...rest } = decodeCheckpoint(encodeCheckpoint(whole), expected);
    expect({ ...rest, metadata: whole.metadata }).toEqual(whole);
    expect(metadata.by).toBe("test");
  });

  it("names no counts where all parameters have been updated in each step", () => {
    const { metadata } = decodeSafetensors(encodeCheckpoint({ ...whole, updates: {} }));
    expect(Object.keys(metadata).sort()).toEqual(["by", "format", "optimizer", "seed", "step"]);
    expect(read({ updates: undefined }).updates).toEqual({});
  });

  it.each(["format", "step", "updates", "seed", "optimizer"])("keeps the name %s for itself", (name) => {
    expect(() => encodeCheckpoint({ ...whole, metadata: { [name]: "mine" } })).toThrow(
      `checkpoint: metadata cannot be named "${name}", which the checkpoint itself uses`,
    );
  });

  it("of another form, optimiser or seed is refused", () => {
    for (const format of [undefined, "", "webgpu-rnn checkpoint 2"]) expect(() => read({ format })).toThrow(/must say format/);
    for (const optimizer of [undefined, "", "adamw"]) expect(() => read({ optimizer })).toThrow(/was made with the optimizer/);
    expect(() => read({ seed: "8" })).toThrow("was made with seed 8, this trainer has 7");
  });

  const noCounts = [undefined, "", " 1", "-1", "1.5", "1e3", "0x10", "9007199254740992", "00000000000000001"];
  it.each(["step", "seed"])("whose %s is no count is refused", (name) => {
    for (const text of noCounts) {
      expect(() => read({ [name]: text }), text).toThrow(RnnError);
      expect(() => read({ [name]: text }), text).toThrow(`checkpoint: ${name} must be a number`);
    }
  });

  it("may have been made before the first step, or after as many as can be counted", () => {
    for (const step of [0, 1, Number.MAX_SAFE_INTEGER]) expect(read({ step: String(step) }).step).toBe(step);
  });

  it("whose numbers of updates are none is refused", () => {
    for (const updates of ["", "{", "3", "null", "[1]", "[]", '"a"', '{"a":-1}', '{"a":1.5}', '{"a":"1"}', '{"a":null}', '{"a":1,"b":-1}'])
      expect(() => read({ updates }), updates).toThrow("checkpoint: updates must be numbers by parameter");
    expect(read({ updates: '{"a":0,"b":9}' }).updates).toEqual({ a: 0, b: 9 });
  });
});
