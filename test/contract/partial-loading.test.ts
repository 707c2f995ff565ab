/** State dictionaries of which a part fits. */
import { describe, expect, it } from "vitest";
import { Embedding, Linear, LSTM, Sequential, type StateDict, type Tensor } from "webgpu-rnn";

const model = (seed: number): Sequential =>
  new Sequential({ embedding: new Embedding(5, 2), rnn: new LSTM(2, 3), head: new Linear(3, 5) }, { seed });
const valuesOf = (dict: StateDict): Record<string, number[]> =>
  Object.fromEntries(Object.entries(dict).map(([name, { data }]) => [name, Array.from(data)]));
const without = (dict: StateDict, start: string): StateDict =>
  Object.fromEntries(Object.entries(dict).filter(([name]) => !name.startsWith(start)));

describe("loadStateDict with partial: true", () => {
  it("takes what the model has names for, and tells what was missing and what was left over", async () => {
    const [given, to] = [await model(1).stateDict(), model(2)];
    const before = valuesOf(await to.stateDict());
    const extra: Tensor = { shape: [2], data: Float32Array.of(1, 2) };
    const result = to.loadStateDict(
      { ...without(given, "head."), "classifier.bias": extra, "classifier.weight": extra },
      { partial: true },
    );
    expect(result).toEqual({ missing: ["head.weight", "head.bias"], unexpected: ["classifier.bias", "classifier.weight"] });
    const after = valuesOf(await to.stateDict());
    for (const [name, values] of Object.entries(after))
      expect(values, name).toEqual(name.startsWith("head.") ? before[name] : valuesOf(given)[name]);
  });

  it("tells that nothing was missing where all fits, as without it", async () => {
    const given = await model(1).stateDict();
    for (const options of [{ partial: true }, { partial: false }, {}, undefined])
      expect(model(2).loadStateDict(given, options)).toEqual({ missing: [], unexpected: [] });
  });

  it("refuses a known name of another shape, or with a number that is not finite, and changes nothing then", async () => {
    const to = model(2);
    const before = valuesOf(await to.stateDict());
    const given = without(await model(1).stateDict(), "head.");
    const { shape, data } = given["rnn.bias_hh_l0"];
    expect(() => to.loadStateDict({ ...given, "rnn.bias_hh_l0": { shape: [3, 4], data } }, { partial: true })).toThrow(
      'loadStateDict: "rnn.bias_hh_l0" must be [12], got [3, 4]',
    );
    expect(() => to.loadStateDict({ ...given, "rnn.bias_hh_l0": { shape, data: data.map(() => NaN) } }, { partial: true })).toThrow(
      'loadStateDict: "rnn.bias_hh_l0" must be finite numbers',
    );
    expect(valuesOf(await to.stateDict())).toEqual(before);
  });

  it("refuses a dictionary of which no name is known: a prefix is wrong then", async () => {
    const given = Object.fromEntries(Object.entries(await model(1).stateDict()).map(([name, value]) => [`model.${name}`, value]));
    expect(() => model(2).loadStateDict(given, { partial: true })).toThrow(
      /lacks "embedding\.weight", .* and has unknown "model\.embedding\.weight"/,
    );
    expect(() => model(2).loadStateDict({}, { partial: true })).toThrow(/lacks "embedding\.weight"/);
  });

  it("is not what happens unasked", async () => {
    const given = await model(1).stateDict();
    expect(() => model(2).loadStateDict(without(given, "head."))).toThrow('lacks "head.weight", "head.bias"');
    expect(() => model(2).loadStateDict(given, { strict: false } as object)).toThrow('loadStateDict: unknown option "strict"');
    expect(() => model(2).loadStateDict(given, { partial: 1 as unknown as boolean })).toThrow(
      "loadStateDict: partial must be true or false, got 1",
    );
  });
});
