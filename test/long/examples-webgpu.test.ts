// The examples on both backends: at a small size, their first steps have the same losses, and what comes behind them runs.
import { afterAll, describe, expect, it } from "vitest";
import { createBackend, type Backend } from "webgpu-rnn";
import { adding, cells } from "../../examples/adding.ts";
import { readDigits } from "../../examples/digits.ts";
import { gradientFlows } from "../../examples/flow.ts";
import { forecast } from "../../examples/forecast.ts";
import { classifyNames, writeNames } from "../../examples/names.ts";
import { pronounce } from "../../examples/phonemes.ts";
import { reber } from "../../examples/reber.ts";
import { reverse } from "../../examples/reverse.ts";
import { nodeAdapter } from "../../scripts/vulkan.mjs";

const found: { adapter: unknown; variables: object; reason: string } = await nodeAdapter();
const { adapter, reason } = found;
Object.assign(process.env, found.variables);
if (adapter === null) console.warn(`examples on WebGPU skipped: ${reason}`);

interface Options {
  readonly backend: Backend;
  readonly steps: number;
  readonly onStep: (step: number, loss: number) => void;
}

const examples: Readonly<Record<string, (options: Options) => Promise<unknown>>> = {
  reverse: (options) => reverse({ ...options, letters: 5, longest: 3, hidden: 8 }),
  phonemes: (options) => pronounce({ ...options, longest: 3, hidden: 8, batch: 4, heldOut: 3 }),
  names: async (options) => {
    const { model: judge } = await classifyNames({ ...options, hidden: 8 });
    await writeNames({ ...options, hidden: 8, judge, count: 1 });
  },
  reber: (options) => reber({ ...options, strings: 40, heldOut: 5, hidden: 8 }),
  ...Object.fromEntries(cells.map((cell) => [`adding, ${cell}`, (options: Options) => adding({ ...options, cell, length: 6, hidden: 8 })])),
  flow: async ({ onStep, ...options }) => {
    const flows = await gradientFlows({ ...options, length: 5, hidden: 8 });
    flows.forEach(({ norms }, i) => norms.data.forEach((norm) => onStep(i, norm)));
  },
  digits: (options) => readDigits({ ...options, hidden: 8, heldOut: 10 }),
  forecast: (options) => forecast({ ...options, length: 600, hidden: 8, samples: 2 }),
};

describe.skipIf(adapter === null)("examples on WebGPU", () => {
  const backends = { cpu: createBackend("cpu"), webgpu: adapter === null ? undefined! : createBackend("webgpu") };

  afterAll(async () => {
    for (const made of Object.values(backends)) (await made)?.destroy();
  });

  it.each(Object.entries(examples))("%s takes the steps that it takes on the CPU", async (_, run) => {
    const [onCpu, onGpu] = await Promise.all(
      [backends.cpu, backends.webgpu].map(async (made) => {
        const losses: number[] = [];
        await run({ backend: await made, steps: 3, onStep: (_step, loss) => losses.push(loss) });
        return losses;
      }),
    );
    expect(onCpu.length).toBeGreaterThanOrEqual(3);
    expect(onGpu).toHaveLength(onCpu.length);
    onGpu.forEach((loss, i) =>
      expect(Math.abs(loss - onCpu[i]), `${i}: ${loss} on the device, ${onCpu[i]} on the CPU`).toBeLessThanOrEqual(
        1e-5 + 1e-3 * Math.abs(onCpu[i]),
      ),
    );
  });
});
