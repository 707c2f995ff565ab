import { expect, it } from "vitest";
import { Nudge } from "../../src/backend/webgpu/nudge.ts";

/** A queue that settles what waits for it after so many submits. */
function lazyQueue(submits: number): { queue: Pick<GPUQueue, "submit">; done: Promise<void>; count: () => number } {
  let [count, settle] = [0, (): void => undefined];
  const done = new Promise<void>((resolve) => (settle = resolve));
  return {
    queue: {
      submit: (commands) => {
        expect([...commands]).toEqual([]);
        if (++count === submits) settle();
        return undefined;
      },
    },
    done,
    count: () => count,
  };
}
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

it("submits nothing, again and again, until what is awaited is there, then no more, and begins anew for the next", async () => {
  const { queue, done, count } = lazyQueue(3);
  const nudge = new Nudge(queue, true);
  await later();
  expect(count()).toBe(0);
  await Promise.all([nudge.until(done), nudge.until(done)]);
  expect(count()).toBe(3);
  await later();
  expect(count()).toBe(3);
  await nudge.until(later());
  expect(count()).toBeGreaterThan(3);
});

it("goes on while one of two is awaited, and ends with a rejection too", async () => {
  const { queue, done, count } = lazyQueue(5);
  const nudge = new Nudge(queue, true);
  const failed = expect(nudge.until(Promise.reject(new Error("the device is gone")))).rejects.toThrow("the device is gone");
  await nudge.until(done);
  await failed;
  expect(count()).toBe(5);
  await later();
  expect(count()).toBe(5);
});

it("leaves browsers alone that look by themselves", async () => {
  const { queue, count } = lazyQueue(1);
  await new Nudge(queue, false).until(later());
  expect(count()).toBe(0);
});
