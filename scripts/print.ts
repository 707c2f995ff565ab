// `node scripts/run-ts.mjs scripts/print.ts`: prints the recording of one training step of a small character model.
// With --params it prints the params of each kernel too. With --write it replaces the listing in ARCHITECTURE.md. Change
// the model here to see what another one records.
import { readFileSync, writeFileSync } from "node:fs";
import { CpuBackend } from "../src/backend/cpu/cpu-backend.ts";
import { print } from "../src/recording/recording.ts";
import { CarriedStates } from "../src/session/carried-states.ts";
import { Session } from "../src/session/session.ts";
import { LossRecorder } from "../src/train/loss-recorder.ts";
import { OptimizerState } from "../src/train/optimizer-state.ts";
import { crossEntropy, Embedding, Linear, LSTM, Sequential, sgd } from "webgpu-rnn";

const [characters, steps, batch] = [10, 5, 4];
const model = new Sequential({ embedding: new Embedding(characters, 8), rnn: new LSTM(8, 16), linear: new Linear(16, characters) });
const ids = { shape: [steps, batch], data: new Uint32Array(steps * batch) };

// The same calls as in a Trainer before its first step. The recording does not depend on the backend.
const backend = await CpuBackend.create();
const session = Session.of(model, backend);
const optimizer = new OptimizerState(sgd(), session, { clipNorm: 5, clipValue: 0 });
const recorder = new LossRecorder(session, crossEntropy(), new CarriedStates(backend), true, optimizer);
const { context } = await recorder.prepare(recorder.take({ input: ids, targets: ids, startsSequence: true }), optimizer.nextUpdate());
const whole = print(context.recording);
const listing = process.argv.includes("--params") ? whole : whole.replace(/ \{[^}\n]*\}$/gm, "");
console.log(listing);
if (process.argv.includes("--write")) {
  const document = "ARCHITECTURE.md";
  writeFileSync(
    document,
    readFileSync(document, "utf8").replace(/^( +0 copy [^]*?)^```$/m, () => `${listing}\n\`\`\``),
  );
}
