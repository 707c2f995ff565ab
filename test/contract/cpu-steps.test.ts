import { describe, expect, it } from "vitest";
import { stepsOf } from "../../src/backend/cpu/fast-recurrent.ts";
import { stepForward } from "../../src/recurrent/kernels/step.ts";
import { stepBackward } from "../../src/recurrent/kernels/step.backward.ts";
import { loopForward } from "../../src/recurrent/kernels/loop.ts";
import { lstm } from "../../src/recurrent/cells/lstm.ts";

describe("the steps that a kernel computes on the CPU", () => {
  // No array has so many elements: whatever made one for each step of the sequence would fail.
  const steps = 2 ** 40;

  it.each([stepForward(lstm), stepBackward(lstm)])("are one for each lane in $name, however long the sequence is", ({ recurrent }) => {
    expect(stepsOf(recurrent!, { i: 5, steps, lanes: 2, tail: 0 })).toEqual([
      { i: 5, tail: 0, lane: 0 },
      { i: 5, tail: 0, lane: 1 },
    ]);
  });

  it("are all of them in a loop, lane by lane", () => {
    const each = stepsOf(loopForward(lstm, 4, 1, {}).recurrent!, { steps: 3, lanes: 2 });
    expect(each.map(({ i, lane }) => [i, lane])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
    ]);
  });
});
