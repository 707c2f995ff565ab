import { describe, expect, it } from "vitest";
import type { Program } from "../../src/backend/backend.ts";
import { Recordings, type Lent } from "../../src/session/recordings.ts";
import type { RunContext } from "../../src/session/run-context.ts";

/** Recordings whose programs note that they are freed. */
function noted(): { recordings: Recordings; freed: string[]; lend: (key: string) => Promise<Lent> } {
  const recordings = new Recordings();
  const freed: string[] = [];
  const make = async (key: string) => ({ context: {} as RunContext, program: { free: () => void freed.push(key) } as unknown as Program });
  return { recordings, freed, lend: (key) => recordings.lend(key, () => make(key)) };
}

const sixteen = Array.from({ length: 16 }, (_, i) => `${i}`);

describe("kept recordings", () => {
  it("are freed from the one whose latest use is longest ago, when a seventeenth comes", async () => {
    const { freed, lend } = noted();
    for (const key of sixteen) (await lend(key)).release();
    for (const key of ["0", "2", "0"]) (await lend(key)).release();
    for (const key of ["a", "b", "c"]) (await lend(key)).release();
    expect(freed).toEqual(["1", "3", "4"]);
  });

  it("stay as long as they are lent, however long ago they were asked for", async () => {
    const { freed, lend } = noted();
    const [first, again] = [await lend("0"), await lend("0")];
    for (const key of [...sixteen, "a"]) if (key !== "0") (await lend(key)).release();
    expect(freed).toEqual(["1"]);
    first.release();
    first.release();
    for (const key of ["b", "c"]) (await lend(key)).release();
    expect(freed).toEqual(["1", "2", "3"]);
    again.release();
    (await lend("d")).release();
    expect(freed).toEqual(["1", "2", "3", "0"]);
  });

  it("may be lent beyond that number, and are then freed as they come back", async () => {
    const { freed, lend } = noted();
    const lent: Lent[] = [];
    for (const key of [...sixteen, "a", "b"]) lent.push(await lend(key));
    expect(freed).toEqual([]);
    for (const { release } of lent.reverse()) release();
    expect(freed).toEqual(["b", "a"]);
  });

  it("that are lent are freed at their release after clear, and the next call makes a new one", async () => {
    const { recordings, freed, lend } = noted();
    const old = await lend("0");
    recordings.clear();
    const next = await lend("0");
    expect(next.program).not.toBe(old.program);
    expect(freed).toEqual([]);
    old.release();
    expect(freed).toEqual(["0"]);
  });
});
