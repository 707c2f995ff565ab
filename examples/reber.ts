// The embedded Reber grammar (Hochreiter & Schmidhuber 1997): the last symbol but one repeats the second one, and
// nothing in between depends on it. After each symbol, the model must rank the symbols that may follow above all
// others.
import { adam, cosine, crossEntropy, Embedding, forward, Linear, LSTM, Sequential, Trainer, type Backend } from "webgpu-rnn";
import { sentenceBatch, SentenceData } from "webgpu-rnn/language";
import { uniformFrom } from "./random.ts";

const symbols = "BTSXPVE";
/** Reber's grammar: from each state, symbols and the states that they lead to. */
const grammar: readonly Readonly<Record<string, number>>[] = [
  { B: 1 },
  { T: 2, P: 3 },
  { S: 2, X: 4 },
  { T: 3, V: 5 },
  { X: 3, S: 6 },
  { P: 4, V: 6 },
  { E: 7 },
  {},
];

/** A string of the grammar inside the two branches of another, with the legal symbols at each place. */
export function embeddedReber(uniform: () => number): { text: string; legal: string[] } {
  const choose = (from: string): string => from[Math.floor(uniform() * from.length)];
  const branch = choose("TP");
  let text = `B${branch}`;
  const legal = ["B", "TP"];
  for (let state = 0; state !== 7;) {
    const allowed = Object.keys(grammar[state]).join("");
    const symbol = choose(allowed);
    text += symbol;
    legal.push(allowed);
    state = grammar[state][symbol];
  }
  return { text: `${text}${branch}E`, legal: [...legal, branch, "E"] };
}

export interface ReberOptions {
  backend: Backend;
  strings: number;
  heldOut: number;
  hidden: number;
  steps: number;
  onStep?: (step: number, loss: number) => void;
}

/**
 * Trains on some strings and tests on others. `ranked`: the share of legal next symbols that rank above all illegal
 * ones; `remembered`: the share of strings whose last symbol but one is predicted.
 */
export async function reber({
  backend,
  strings,
  heldOut,
  hidden,
  steps,
  onStep,
}: ReberOptions): Promise<{ ranked: number; remembered: number; longest: number }> {
  const uniform = uniformFrom(1);
  const all = new Map<string, string[]>();
  while (all.size < strings + heldOut) {
    const { text, legal } = embeddedReber(uniform);
    all.set(text, legal);
  }
  const entries = [...all];
  // Ids begin with 1; 0 comes before the first symbol and after the last.
  const ids = entries.map(([text]) => Array.from(text, (c) => symbols.indexOf(c) + 1));
  const data = new SentenceData(ids.slice(0, strings), { end: 0, batch: 32 });
  const model = new Sequential([new Embedding(8, 8), new LSTM(8, hidden, { forgetBias: 1 }), new Linear(hidden, 8)], { seed: 1 });
  const trainer = new Trainer(model, {
    backend,
    data,
    loss: crossEntropy(),
    optimizer: adam({ learningRate: cosine({ learningRate: 0.02, totalSteps: steps }) }),
    clipNorm: 1,
  });
  for await (const { step, loss } of trainer.run({ steps })) onStep?.(step, loss);

  const { input, lengths } = sentenceBatch(ids.slice(strings), { end: 0 });
  const {
    output: { data: logits },
  } = await forward(model, { input, lengths }, { backend });
  let [legalSymbols, above, remembered] = [0, 0, 0];
  entries.slice(strings).forEach(([text, legal], row) => {
    legal.forEach((allowed, t) => {
      const logit = (id: number): number => logits[(t * heldOut + row) * 8 + id];
      const illegal = [0, ...Array.from(symbols).flatMap((c, i) => (allowed.includes(c) ? [] : [i + 1]))];
      const highest = Math.max(...illegal.map(logit));
      const ranked = Array.from(allowed).filter((c) => logit(symbols.indexOf(c) + 1) > highest).length;
      legalSymbols += allowed.length;
      above += ranked;
      if (t === text.length - 2) remembered += ranked;
    });
  });
  return { ranked: above / legalSymbols, remembered: remembered / heldOut, longest: Math.max(...entries.map(([text]) => text.length)) };
}
