// `node scripts/run-ts.mjs bench/strategies.ts [--cpu-time] [CELL,...] [H,...] [B,...]`: times both strategies over a
// grid of layers and prints how far the calibrated choice is from the better one. Time loops alone, best of interleaved
// runs, by the device's own clock where it has one. --cpu-time is for software adapters on a busy machine: the clock is this process's processor time, for
// calibration too.
import { createBackend, explainStrategy } from "webgpu-rnn";
import type { Backend } from "../src/backend/backend.ts";
import { gruResetBefore } from "../src/recurrent/cells/gru-reset-before.ts";
import { gru } from "../src/recurrent/cells/gru.ts";
import { lstm } from "../src/recurrent/cells/lstm.ts";
import { rnnTanh } from "../src/recurrent/cells/rnn.ts";
import { mostLoopUnits } from "../src/recurrent/kernels/loop.ts";
import { measure as calibrated, recordTimeLoop, millisecondsOf } from "../src/session/measure.ts";

const cells = { lstm: lstm, gru: gru, rnn: rnnTanh, "gru-reset-before": gruResetBefore } as const;
const numbers = (text: string): number[] => text.split(",").map(Number);
const [cellNames = "lstm,gru,rnn", units = "16,32,64,128,256", batches = "1,4,16,64"] = process.argv
  .slice(2)
  .filter((word) => word !== "--cpu-time");
const cpuTime = process.argv.includes("--cpu-time");
if (cpuTime) {
  performance.now = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
}
const T = 32;
const strategies = ["loop", "step"] as const;

/** Milliseconds of a pass by each strategy, the shortest of alternating runs. */
async function measure(
  backend: Backend,
  cell: keyof typeof cells,
  pass: "forward" | "backward",
  B: number,
  H: number,
): Promise<Record<(typeof strategies)[number], number>> {
  const runs = await Promise.all(
    strategies.map(async (strategy) => ({
      strategy,
      program: await backend.prepare(recordTimeLoop({ cell: cells[cell], strategy, pass, T, B, H, on: backend }), new Map()),
    })),
  );
  const best = { loop: Infinity, step: Infinity };
  for (const { program } of runs) await millisecondsOf(program, 1);
  const started = performance.now();
  for (let round = 0; round < 3 || (round < 30 && performance.now() - started < 1500); round++) {
    for (const { strategy, program } of runs) {
      const repeat = Math.min(64, Math.max(1, Math.round(5 / best[strategy])));
      const { host, device = host } = await millisecondsOf(program, repeat);
      best[strategy] = Math.min(best[strategy], (cpuTime ? host : device) / repeat);
    }
  }
  for (const { program } of runs) program.free();
  return best;
}

const backend = await createBackend("webgpu");
const started = performance.now();
const profile = await calibrated(backend, cpuTime ? "host" : "device");
console.log(`${backend.adapter}: calibrated in ${((performance.now() - started) / 1000).toFixed(1)} s, compilation included`);
console.log(JSON.stringify(profile, (_, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(3)) : value)));
const losses: number[] = [];
const unguided: number[] = [];
for (const cell of cellNames.split(",") as (keyof typeof cells)[]) {
  for (const H of numbers(units).filter((n) => n <= mostLoopUnits)) {
    for (const B of numbers(batches)) {
      const forward = await measure(backend, cell, "forward", B, H);
      const backward = await measure(backend, cell, "backward", B, H);
      for (const training of [false, true]) {
        const taken = { loop: forward.loop + (training ? backward.loop : 0), step: forward.step + (training ? backward.step : 0) };
        const { strategy, text } = explainStrategy(
          { T, B, H, G: cells[cell].gateNames.length, phases: "gatePhases" in cells[cell] ? 2 : 1, training },
          profile,
        );
        const loss = taken[strategy === "loop" ? "loop" : "step"] / Math.min(taken.loop, taken.step) - 1;
        losses.push(loss);
        unguided.push(taken.loop / Math.min(taken.loop, taken.step) - 1);
        console.log(
          `${cell.padEnd(5)} ${text}; measured loop ${taken.loop.toPrecision(3)}, step ${taken.step.toPrecision(3)}${loss > 0.15 ? `  ${Math.round(loss * 100)} % BEHIND` : ""}`,
        );
      }
    }
  }
}
const summary = (of: readonly number[]): string =>
  `worst ${Math.round(Math.max(...of) * 100)} % behind the better one, ${of.filter((loss) => loss <= 0.15).length} of ${of.length} within 15 %`;
console.log(`calibrated choice: ${summary(losses)}\nalways the loop:   ${summary(unguided)}`);
backend.destroy();
