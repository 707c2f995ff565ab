// `npm run example -- NAME`: trains on a small problem in the terminal, and prints the result.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { createBackend, saveModel, type Backend } from "webgpu-rnn";
import { adding, cells } from "./adding.ts";
import { attentionPicture } from "./attention-picture.ts";
import { readDigits } from "./digits.ts";
import { drive } from "./drive.ts";
import { gradientFlows, longReach } from "./flow.ts";
import { flowPicture } from "./flow-picture.ts";
import { forecast } from "./forecast.ts";
import { classifyNames, sexes, spelt, writeNames } from "./names.ts";
import { pronounce } from "./phonemes.ts";
import { reber } from "./reber.ts";
import { reverse } from "./reverse.ts";

const {
  values,
  positionals: [name],
} = parseArgs({
  options: {
    backend: { type: "string", default: "auto" },
    steps: { type: "string" },
    out: { type: "string", default: "build/picture.svg" },
  },
  allowPositionals: true,
});

/** Logs now and then, with the time. */
function logger(every: number): (step: number, loss: number) => void {
  const started = performance.now();
  return (step, loss) => {
    if (step % every === 0) console.log(`step ${step}, loss ${loss.toFixed(3)}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
  };
}

interface Example {
  readonly about: string;
  /** Returns the result in words. */
  readonly run: (backend: Backend, steps: number | undefined) => Promise<string>;
}

const examples: Record<string, Example> = {
  reverse: {
    about:
      "writes words of up to 12 letters backwards. Must reach: 95 of 100 new words right after 2000 steps (seconds on the CPU, minutes on a software adapter)",
    async run(backend, steps = 2000) {
      const share = await reverse({ backend, letters: 26, longest: 12, hidden: 48, steps, onStep: logger(250) });
      return `${(100 * share).toFixed(0)} of 100 new words came back right`;
    },
  },
  phonemes: {
    about:
      "pronounces English words. Must reach: a phoneme error rate below 30 % after 2000 steps (14 % seen); draws its attention (--out)",
    async run(backend, steps = 2000) {
      const { errorRate, words } = await pronounce({
        backend,
        longest: 12,
        hidden: 64,
        steps,
        batch: 32,
        heldOut: 500,
        onStep: logger(100),
      });
      for (const { word, found, phonemes } of words.slice(0, 10))
        console.log(`${word}: ${found.join(" ")}${found.join() === phonemes.join() ? "" : ` (should be ${phonemes.join(" ")})`}`);
      const shown = words.find(({ word }) => word.length > 7) ?? words[0];
      mkdirSync(dirname(values.out), { recursive: true });
      writeFileSync(values.out, attentionPicture(Array.from(shown.word), [...shown.found, "end"], shown.attention.data));
      return `phoneme error rate ${(100 * errorRate).toFixed(1)} % on ${words.length} words that were not trained on; ${values.out} shows where it looked for ${shown.word}`;
    },
  },
  names: {
    about:
      "tells the sex of first names, then writes some. Must reach: 80 % of held-out names right, and of names written for a sex as many judged to be of it",
    async run(backend, steps = 600) {
      const options = { backend, hidden: 64, steps, onStep: logger(100) };
      const { accuracy, heldOut, model: judge } = await classifyNames(options);
      console.log(`${(100 * accuracy).toFixed(1)} % of ${heldOut} held-out names have the right sex`);
      const { agreement, unknown, written } = await writeNames({ ...options, hidden: 128, steps: 2 * steps, judge, count: 100 });
      for (const of of [0, 1])
        console.log(
          `${sexes[of]}: ${written
            .filter(({ sex }) => sex === of)
            .slice(0, 12)
            .map(({ letters }) => spelt(letters))
            .join(", ")}`,
        );
      return `${(100 * accuracy).toFixed(1)} % of held-out names right; ${(100 * agreement).toFixed(1)} % of ${written.length} written names are judged to be what they were to be, and ${(100 * unknown).toFixed(0)} % are on no list`;
    },
  },
  reber: {
    about: "the embedded Reber grammar. Must reach: 99 % of the legal next symbols of held-out strings above all illegal ones",
    async run(backend, steps = 1000) {
      const { ranked, remembered, longest } = await reber({ backend, strings: 1000, heldOut: 500, hidden: 24, steps, onStep: logger(100) });
      return `${(100 * ranked).toFixed(2)} % of the legal symbols above all illegal ones in 500 held-out strings of up to ${longest} symbols; the second symbol is remembered in ${(100 * remembered).toFixed(1)} % of them`;
    },
  },
  adding: {
    about:
      "the adding problem over 100 steps. Must reach: IRNN, GRU and LSTM below 0.1767, which is the error of always saying 1; a plain RNN beside them",
    async run(backend, steps = 2000) {
      const results: string[] = [];
      for (const cell of cells) {
        const started = performance.now();
        const { error, ofOne } = await adding({ backend, cell, length: 100, hidden: 32, steps, onStep: logger(250) });
        results.push(
          `${cell}: ${error.toFixed(4)} (always 1: ${ofOne.toFixed(4)}) in ${((performance.now() - started) / 1000).toFixed(0)} s`,
        );
        console.log(results.at(-1));
      }
      return `mean squared errors: ${results.join("; ")}`;
    },
  },
  flow: {
    about:
      "draws how far gradients reach in four cells, before and after learning (--out). Must reach: of what step 1 does to the loss of step 40, more in IRNN, GRU and LSTM than in a plain RNN, once they have learnt",
    async run(backend, steps = 400) {
      const flows = await gradientFlows({ backend, length: 40, hidden: 32, steps });
      mkdirSync(dirname(values.out), { recursive: true });
      writeFileSync(values.out, flowPicture(flows));
      return `‖∂E_40/∂h_1‖ / ‖∂E_40/∂h_40‖: ${flows.map(({ title, norms }) => `${title} ${longReach(norms).toExponential(1)}`).join(", ")}; drawn in ${values.out}`;
    },
  },
  digits: {
    about: "reads handwritten digits row by row. Must reach: 95 % of 1000 held-out digits right",
    async run(backend, steps = 1120) {
      const share = await readDigits({ backend, hidden: 96, steps, heldOut: 1000, onStep: logger(50) });
      return `${(100 * share).toFixed(1)} % of 1000 held-out digits right`;
    },
  },
  forecast: {
    about:
      "a noisy series 20 steps ahead, with how sure it is. Must reach: half the error of saying that all stays, and nine of ten values within two deviations",
    async run(backend, steps = 1000) {
      const { error, ofStaying, covered, first, last } = await forecast({
        backend,
        length: 3000,
        hidden: 32,
        steps,
        samples: 50,
        onStep: logger(100),
      });
      return `error ${error.toFixed(3)} (all stays: ${ofStaying.toFixed(3)}); ${(100 * covered).toFixed(1)} % within two deviations; samples lie ${first.toFixed(3)} apart one step ahead, ${last.toFixed(3)} at the end`;
    },
  },
  drive: {
    about:
      "the sound of an overdriven amplifier, from synthetic strings; writes the model that demo/audio/ plays (--out). Must reach: an error below 1 % of the power (0.5 % seen after 1200 steps)",
    async run(backend, steps = 1200) {
      const { model, error } = await drive({ backend, steps, onStep: logger(100) });
      const file = values.out.replace(/\.svg$/, ".safetensors");
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, await saveModel(model));
      return `error ${(100 * error).toFixed(2)} % of the power on new strings; the model is in ${file}`;
    },
  },
};

const example = name === undefined ? undefined : examples[name];
const wrongBackend = !["auto", "cpu", "webgpu"].includes(values.backend);
if (!example || wrongBackend || (values.steps !== undefined && !(Number(values.steps) >= 1))) {
  console.error(
    `usage: npm run example -- NAME [--steps N] [--backend auto|cpu|webgpu] [--out FILE.svg]\n\n${Object.entries(examples)
      .map(([key, { about }]) => `  ${key}: ${about}`)
      .join("\n")}`,
  );
  process.exit(2);
}
const backend = await createBackend(values.backend as "auto" | "cpu" | "webgpu");
console.log(`${name} on ${backend.adapter}: ${example.about}`);
const started = performance.now();
const result = await example.run(backend, values.steps === undefined ? undefined : Number(values.steps));
console.log(`${result} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
backend.destroy();
