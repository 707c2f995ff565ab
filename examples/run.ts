// `npm run example -- NAME`: trains on a small problem in the terminal, and says what came of it.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { createBackend, type Backend } from "webgpu-rnn/full";
import { attentionPicture } from "./attention-picture.ts";
import { pronounce } from "./phonemes.ts";
import { reverse } from "./reverse.ts";

const { values, positionals: [name] } = parseArgs({
  options: { backend: { type: "string", default: "auto" }, steps: { type: "string" }, out: { type: "string", default: "build/attention.svg" } }, allowPositionals: true,
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
  /** Returns what came of it. */
  readonly run: (backend: Backend, steps: number | undefined) => Promise<string>;
}

const examples: Record<string, Example> = {
  reverse: {
    about: "writes words of up to 12 letters backwards. Must reach: 95 of 100 new words right after 2500 steps (half a minute on the CPU)",
    async run(backend, steps = 2500) {
      const share = await reverse({ backend, letters: 26, longest: 12, hidden: 64, steps, onStep: logger(250) });
      return `${(100 * share).toFixed(0)} of 100 new words came back right`;
    },
  },
  phonemes: {
    about: "pronounces English words. Must reach: a phoneme error rate below 30 % after 1500 steps (three minutes on the CPU; 13 % seen); draws its attention (--out)",
    async run(backend, steps = 1500) {
      const { errorRate, words } = await pronounce({ backend, longest: 12, hidden: 128, steps, batch: 64, heldOut: 500, onStep: logger(100) });
      for (const { word, found, phonemes } of words.slice(0, 10)) console.log(`${word}: ${found.join(" ")}${found.join() === phonemes.join() ? "" : ` (should be ${phonemes.join(" ")})`}`);
      const shown = words.find(({ word }) => word.length > 7) ?? words[0];
      mkdirSync(dirname(values.out), { recursive: true });
      writeFileSync(values.out, attentionPicture(Array.from(shown.word), [...shown.found, "end"], shown.attention.data));
      return `phoneme error rate ${(100 * errorRate).toFixed(1)} % on ${words.length} words that were not trained on; ${values.out} shows where it looked for ${shown.word}`;
    },
  },
};

const example = name === undefined ? undefined : examples[name];
const wrongBackend = !["auto", "cpu", "webgpu"].includes(values.backend);
if (!example || wrongBackend || (values.steps !== undefined && !(Number(values.steps) >= 1))) {
  console.error(`usage: npm run example -- NAME [--steps N] [--backend auto|cpu|webgpu] [--out FILE.svg]\n\n${Object.entries(examples).map(([key, { about }]) => `  ${key}: ${about}`).join("\n")}`);
  process.exit(2);
}
const backend = await createBackend(values.backend as "auto" | "cpu" | "webgpu");
console.log(`${name} on ${backend.adapter}`);
console.log(await example.run(backend, values.steps === undefined ? undefined : Number(values.steps)));
backend.destroy();
