/** An LSTM step in plain JavaScript, as one writes it by hand: rows of the weights times x and h. */
import type { Tensor } from "webgpu-rnn";

export function plainLstm(weights: Readonly<Record<string, Tensor>>, inputSize: number): (frame: Float32Array) => Float32Array {
  const [W, U, b, c] = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"].map((name) => Float32Array.from(weights[name].data));
  const H = b.length / 4;
  const [h, memory, gates] = [new Float32Array(H), new Float32Array(H), new Float32Array(4 * H)];
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  return (frame) => {
    for (let row = 0; row < 4 * H; row++) {
      let sum = b[row] + c[row];
      for (let i = 0, at = row * inputSize; i < inputSize; i++) sum += W[at + i] * frame[i];
      for (let i = 0, at = row * H; i < H; i++) sum += U[at + i] * h[i];
      gates[row] = sum;
    }
    for (let j = 0; j < H; j++) {
      memory[j] = sigmoid(gates[H + j]) * memory[j] + sigmoid(gates[j]) * Math.tanh(gates[2 * H + j]);
      h[j] = sigmoid(gates[3 * H + j]) * Math.tanh(memory[j]);
    }
    return h;
  };
}
