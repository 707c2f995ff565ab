// Prints as JSON how many bytes of the heap 100,000 calls of a stream's methods leave behind, at least of some rounds.
import { Conv1d, createStream, Embedding, GRU, Linear, LSTM, saveStream, Sequential } from "webgpu-rnn";
import * as alone from "webgpu-rnn/stream";

const calls = 100_000;
const collect = (globalThis as { gc?: () => void }).gc!;

/** The engine compiles in some rounds, which takes memory too. */
function bytesOf(call: (i: number) => unknown): number {
  let least = Infinity;
  for (let round = 0; round < 12 && least > 0; round++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < calls; i++) call(i);
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  return least;
}

const model = new Sequential([new LSTM(1, 8), new Linear(8, 1)]);
const sound = await createStream(model);
const played = await alone.createStream(await saveStream(model));
const text = await createStream(new Sequential([new Embedding(5, 4), new GRU(4, 4), new Linear(4, 5)]), { batch: 6 });
const conv = await createStream(new Conv1d(1, 4, 3, { layout: "channelsLast", padding: "causal", dilation: 8 }));
const five = new Uint32Array(5);
const [frame, ids, rows, quantum, into] = [
  new Float32Array(1),
  new Uint32Array(6),
  [4, 0, 3, 1, 5],
  new Float32Array(20),
  new Float32Array(20),
];

console.log(
  JSON.stringify({
    step: bytesOf((i) => {
      frame[0] = i / calls;
      return sound.step(frame);
    }),
    convolution: bytesOf((i) => {
      frame[0] = i / calls;
      return conv.step(frame);
    }),
    ids: bytesOf((i) => {
      ids[2] = i % 5;
      return text.step(ids);
    }),
    stepRows: bytesOf((i) => {
      rows[1] = i % 2 === 0 ? 0 : 2;
      return text.stepRows(rows, five);
    }),
    steps: bytesOf(() => sound.steps(quantum, into)),
    "step of a file's stream": bytesOf((i) => {
      frame[0] = i / calls;
      return played.step(frame);
    }),
    "steps of a file's stream": bytesOf(() => played.steps(quantum, into)),
  }),
);
