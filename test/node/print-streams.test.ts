// What a console shows of streams: a line, and no memory.
import { inspect } from "node:util";
import { expect, it } from "vitest";
import { createBatcher, createStream, GRU, saveStream } from "webgpu-rnn";
import * as alone from "../../src/stream.ts";

it("Streams and their states are printed as a line", async () => {
  const model = new GRU(2, 300, { numLayers: 2 });
  using stream = await createStream(model, { batch: 3 });
  using saved = await alone.createStream(await saveStream(model, { batch: 3 }));
  using batcher = await createBatcher(model);
  const waiting = batcher.step("ann", [1, 2]);
  for (const one of [stream, saved]) {
    expect(inspect(one)).toBe("Stream { batch: 3, inputSize: 2, outputSize: 300 }");
    expect(inspect(one.state)).toBe("StreamState { h: [2, 3, 300] }");
  }
  expect(inspect(batcher)).toBe("Batcher { inputSize: 2, outputSize: 300, streams: 1, waiting: 1 }");
  await waiting;
  stream.dispose();
  expect(inspect({ stream })).toContain("Stream { batch: 3");
});
