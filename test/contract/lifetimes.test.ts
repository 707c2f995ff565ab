// Which buffers share memory, and that nothing which is still needed is overwritten.
import { expect, it } from "vitest";
import { planMemory } from "../../src/recording/lifetimes.ts";
import { Recording, type View } from "../../src/recording/recording.ts";
import { activationForward } from "../../src/kernels/activations.ts";

/** A chain of buffers of four numbers, each made from the one before; `after` may record something behind each. */
function chain(names: readonly string[], after: (recording: Recording, made: View) => void = () => undefined): Recording {
  const recording = new Recording();
  names.reduce(
    (x, name) => {
      const y = recording.buffer(name, [4]);
      recording.dispatch(activationForward, { x, y }, { length: 4, kind: 0 });
      after(recording, y);
      return y;
    },
    recording.buffer("x", [4], "input"),
  );
  return recording;
}

const slotsOf = (recording: Recording, share = true): number[] => [...planMemory(recording, { share }).slotOf.values()];

it("two pieces of memory serve a chain of any length", () => {
  expect(slotsOf(chain(["a", "b", "c", "d"]))).toEqual([0, 1, 0, 1]);
});

it("every buffer has its own memory if all are to be looked at", () => {
  expect(slotsOf(chain(["a", "b", "c", "d"]), false)).toEqual([0, 1, 2, 3]);
});

it("what is downloaded keeps its memory to the end of the run, since the host gets it there", () => {
  const recording = chain(["a", "b", "c", "d"], (r, made) => {
    if (made.buffer.label === "a") r.download("a", made);
  });
  expect(slotsOf(recording)).toEqual([0, 1, 2, 1]);
});

it("a small buffer that lives long does not keep a large piece of memory", () => {
  const recording = new Recording();
  const input = recording.buffer("x", [64], "input");
  const views = ["early", "small", "late"].map((name) => recording.buffer(name, [name === "small" ? 4 : 64]));
  for (const y of views) recording.dispatch(activationForward, { x: input, y }, { length: y.buffer.length, kind: 0 });
  recording.download("small", views[1]);
  expect(planMemory(recording, { share: true }).slots.map(({ length }) => length)).toEqual([64, 4]);
});
