// First values of recurrent layers: what the papers say about them, by their variance and shape.
import { describe, expect, it } from "vitest";
import { GRU, LSTM, RNN } from "../../src/index.ts";

const [I, H] = [40, 60];

describe("inputInit", () => {
  it.each([
    ["glorotUniform", Math.sqrt(6 / (I + H))],
    ["glorotNormal", Infinity],
  ] as const)("%s has variance 2 / (inputs + H) in each gate's block", async (inputInit, bound) => {
    const {
      weight_ih_l0: { data },
      weight_hh_l0,
    } = await new GRU(I, H, { inputInit, seed: 1 }).stateDict();
    for (let gate = 0; gate < 3; gate++) {
      const block = [...data.subarray(gate * H * I, (gate + 1) * H * I)];
      // 2400 numbers: the variance's own deviation is below 3 %.
      expect(block.reduce((sum, w) => sum + w * w, 0) / block.length / (2 / (I + H))).toBeCloseTo(1, 0.9);
      expect(Math.max(...block.map(Math.abs))).toBeLessThanOrEqual(bound);
    }
    expect(weight_hh_l0.data.every((w) => Math.abs(w) <= 1 / Math.sqrt(H))).toBe(true);
  });
});

describe("recurrentInit", () => {
  it("identity is one in each layer and direction (the IRNN)", async () => {
    const dict = await new RNN(3, 5, { nonlinearity: "relu", recurrentInit: "identity", numLayers: 2, bidirectional: true }).stateDict();
    const recurrent = Object.entries(dict).filter(([name]) => name.startsWith("weight_hh"));
    expect(recurrent).toHaveLength(4);
    for (const [, { data }] of recurrent) expect([...data]).toEqual(Array.from({ length: 25 }, (_, i) => (i % 6 === 0 ? 1 : 0)));
  });

  it("identity leaves biases at zero, but for the forget gate's if it is given", async () => {
    const biasesOf = async (layer: RNN | LSTM): Promise<number[][]> =>
      Object.entries(await layer.stateDict())
        .filter(([name]) => name.startsWith("bias"))
        .map(([, { data }]) => [...data]);
    expect(await biasesOf(new RNN(3, 2, { nonlinearity: "relu", recurrentInit: "identity", bidirectional: true }))).toEqual(
      Array.from({ length: 4 }, () => [0, 0]),
    );
    expect(await biasesOf(new LSTM(3, 2, { recurrentInit: "identity", forgetBias: 1 }))).toEqual([
      [0, 0, 1, 1, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0],
    ]);
  });

  it("identity is one in each gate's block", async () => {
    const { weight_hh_l0 } = await new GRU(3, 2, { recurrentInit: "identity" }).stateDict();
    expect([...weight_hh_l0.data]).toEqual([1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1]);
  });

  it("identity is as much of one as fits in each gate's block of a projected LSTM", async () => {
    const { weight_hh_l0 } = await new LSTM(3, 3, { projSize: 2, recurrentInit: "identity" }).stateDict();
    expect([...weight_hh_l0.data]).toEqual(Array.from({ length: 4 }, () => [1, 0, 0, 1, 0, 0]).flat());
  });

  it.each([
    ["square", 12, 0],
    ["of more rows than columns, of a projected LSTM", 12, 5],
  ])("orthogonal makes each gate's block orthonormal: %s", async (_, hiddenSize, projSize) => {
    const {
      weight_hh_l0: {
        data,
        shape: [rows, columns],
      },
    } = await new LSTM(3, hiddenSize, { projSize, recurrentInit: "orthogonal", seed: 1 }).stateDict();
    expect([rows, columns]).toEqual([4 * hiddenSize, projSize || hiddenSize]);
    for (let gate = 0; gate < 4; gate++) {
      for (let one = 0; one < columns; one++) {
        for (let other = 0; other < columns; other++) {
          let sum = 0;
          for (let i = 0; i < hiddenSize; i++)
            sum += data[(gate * hiddenSize + i) * columns + one] * data[(gate * hiddenSize + i) * columns + other];
          expect(sum).toBeCloseTo(one === other ? 1 : 0, 5);
        }
      }
    }
  });
});
