/** The audio page: plays sound through a model, and shows how much time that takes. */
import { RnnError } from "webgpu-rnn";
import { rate as usualRate, strings } from "../../examples/drive.ts";
import { block, button, byId, count, input, say } from "../dom.ts";
import { readFiles } from "../models/source-form.ts";
import { Notices } from "../notices.ts";
import { Plot } from "../plot.ts";
import { ModelNode, render, sourceOf } from "./graph.ts";
import type { Load, Playable } from "./messages.ts";
import { playableOf } from "./open-sound.ts";
import { Voice } from "./voice.ts";

/** Samples that are drawn, from the middle of what was computed. */
const drawn = 600;

const notices = new Notices();
const source = byId("source", HTMLSelectElement);
const own = "Overdrive: LSTM of 16 units, trained on synthetic strings";
let model: Playable | undefined;
let file: { readonly name: string; readonly bytes: ArrayBuffer } | undefined;
let playing: { readonly context: AudioContext; readonly node: ModelNode; readonly gain: GainNode; end(): void } | undefined;
let total: Load = { quanta: 0, milliseconds: 0, late: 0 };
let waves: readonly [Float32Array, Float32Array] = [new Float32Array(), new Float32Array()];

/** Samples a second that the model hears. */
const rate = (): number => model?.form.rate ?? usualRate;
const voice = new Voice();
const plot = new Plot(block("chart"), {
  lines: [
    { colour: "--raw", width: 1.5 },
    { colour: "--accent", width: 1.5 },
  ],
  unit: "sample",
  data: () => [Array.from(waves[0], (_, i) => i + 1), [...waves[0]], [...waves[1]]],
  label: () => (waves[0].length === 0 ? "Nothing yet" : `Sound in and out, ${waves[0].length} samples`),
  pointed: (i) =>
    (block("readout").textContent = i === null ? "" : `sample ${i + 1}: in ${waves[0][i].toFixed(3)}, out ${waves[1][i].toFixed(3)}`),
});

const hears = {
  load({ quanta, milliseconds, late }: Load): void {
    total = { quanta: total.quanta + quanta, milliseconds: total.milliseconds + milliseconds, late: total.late + late };
    const each = total.milliseconds / total.quanta;
    block("load").textContent = `${((100 * each * rate()) / 128000).toFixed(1)} %`;
    block("quantum").textContent = `${each.toFixed(3)} ms`;
    block("quanta").textContent = count(total.quanta);
    block("late").textContent = count(total.late);
  },
  voice: (probability: number): void => voice.add(probability),
  problem: (message: string): void => notices.show("problem", "The model has stopped", message),
};

function update(words: string, busy = false): void {
  button("start").hidden = playing !== undefined;
  button("stop").hidden = playing === undefined;
  for (const id of ["start", "render"]) button(id).disabled = busy || playing !== undefined || !model;
  for (const id of ["upload", "audio-file"]) input(id).disabled = busy || playing !== undefined;
  for (const one of [source, button("own")]) one.disabled = busy || playing !== undefined;
  say(block("status"), words);
}

/** What the page is doing, in words. */
function activity(): string {
  if (!playing) return "Ready";
  return playing.context.state === "running" ? "Playing" : "Waiting for the sound device";
}

/** Forgets what was counted of another model or sound. */
function begin({ form }: Playable): void {
  total = { quanta: 0, milliseconds: 0, late: 0 };
  voice.begin(form);
}

/** Does something that takes time; says what went wrong. */
async function attempt(words: string, work: () => Promise<void>, failure = "That did not work"): Promise<void> {
  notices.clear();
  update(words, true);
  try {
    await work();
  } catch (error) {
    stop();
    if (!(error instanceof RnnError || error instanceof DOMException)) console.error(error);
    notices.show("problem", failure, (error as Error).message);
  }
  update(activity());
}

/** Samples to play: of a file, or made here. @throws RnnError `data` */
async function samples(): Promise<Float32Array<ArrayBuffer>> {
  if (source.value !== "file") return strings(4 * rate(), 7);
  if (!file) throw new RnnError("data", "Sound", "choose an audio file first");
  const decoded = await new OfflineAudioContext(1, 1, rate()).decodeAudioData(file.bytes.slice(0)).catch(() => undefined);
  if (!decoded) throw new RnnError("data", file.name, "the browser cannot decode it as audio");
  return decoded.getChannelData(0);
}

async function start(): Promise<void> {
  if (!model) return;
  begin(model);
  const context = new AudioContext({ sampleRate: rate(), latencyHint: "interactive" });
  const gain = new GainNode(context, { gain: input("volume").valueAsNumber });
  let end = (): void => undefined;
  try {
    const node = await ModelNode.create(context, model, hears);
    node.bypass(input("bypass").checked);
    if (source.value === "microphone") {
      // The browser's own filters would change the sound before the model hears it.
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      const media = await navigator.mediaDevices.getUserMedia({ audio });
      end = () => media.getTracks().forEach((track) => track.stop());
      context.createMediaStreamSource(media).connect(node.node);
    } else sourceOf(context, await samples(), rate()).connect(node.node);
    node.node.connect(gain).connect(context.destination);
    // Without a sound device it waits for one, for ever perhaps; the page must not.
    context.onstatechange = () => playing?.context === context && update(activity());
    void context.resume();
    playing = { context, node, gain, end };
  } catch (error) {
    end();
    void context.close();
    throw error;
  }
}

function stop(): void {
  playing?.end();
  void playing?.context.close();
  playing = undefined;
}

async function renderSecond(): Promise<void> {
  if (!model) return;
  begin(model);
  const x = source.value === "microphone" ? strings(rate(), 7) : (await samples()).slice(0, rate());
  const y = await render(x, rate(), model, hears);
  const from = Math.max(0, Math.floor((x.length - drawn) / 2));
  waves = [x.subarray(from, from + drawn), y.subarray(from, from + drawn)];
  plot.draw();
}

/** Plays the model from now on, once a processor has taken it. @throws RnnError if it cannot be played */
async function use(found: Playable, name: string): Promise<void> {
  const context = new OfflineAudioContext(1, 128, found.form.rate ?? usualRate);
  await ModelNode.create(context, found, { ...hears, problem: () => undefined });
  model = found;
  begin(found);
  say(block("model"), name);
  const time = ((128 * 1000) / rate()).toFixed(1);
  const what = `${found.format}, ${count(found.parameters)} parameters, in WebAssembly. A block of 128 samples lasts ${time} ms.`;
  const needs =
    found.form.rate === undefined
      ? ""
      : ` It learnt speech at ${count(found.form.rate)} samples a second: choose a file or the microphone.`;
  say(block("budget"), what + needs);
}

const notes: Readonly<Record<string, string>> = {
  strings: "Plucked strings, made of noise by this page.",
  file: "The page plays its first channel again and again.",
  microphone: "With loudspeakers it hears itself; use headphones.",
};

function showSource(): void {
  block("choose-file").hidden = source.value !== "file";
  say(block("source-note"), source.value === "file" && file ? file.name : notes[source.value]);
}

async function openOwn(): Promise<void> {
  const answer = await fetch(new URL("./drive.safetensors", import.meta.url));
  if (!answer.ok) throw new RnnError("load", "The overdrive", `the server answered ${answer.status}`);
  await use(await playableOf({ "drive.safetensors": new Uint8Array(await answer.arrayBuffer()) }), own);
  button("own").hidden = true;
}

async function open(given: readonly File[]): Promise<void> {
  if (given.length === 0 || playing) return;
  const work = async (): Promise<void> => {
    await use(await playableOf(await readFiles(given)), given.map(({ name }) => name).join(", "));
    button("own").hidden = false;
  };
  await attempt("Reading…", work, "This model cannot be played");
}

const chosenFiles = (id: string): File[] => {
  const list = [...(input(id).files ?? [])];
  input(id).value = "";
  return list;
};
input("upload").addEventListener("change", () => void open(chosenFiles("upload")));
input("audio-file").addEventListener("change", () => {
  const [one] = chosenFiles("audio-file");
  if (one) void attempt("Reading…", async () => void (file = { name: one.name, bytes: await one.arrayBuffer() })).then(showSource);
});
const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  void open([...(event.dataTransfer?.files ?? [])]);
});
source.addEventListener("change", showSource);
block("settings").addEventListener("submit", (event) => event.preventDefault());
input("volume").addEventListener("input", () => playing && (playing.gain.gain.value = input("volume").valueAsNumber));
input("bypass").addEventListener("change", () => playing?.node.bypass(input("bypass").checked));
button("own").addEventListener("click", () => void attempt("Reading…", openOwn));
button("start").addEventListener("click", () => void attempt("Getting ready…", start));
button("render").addEventListener("click", () => void attempt("Computing…", renderSecond));
button("stop").addEventListener("click", () => {
  stop();
  update("Ready");
});
showSource();
void attempt("Loading…", openOwn);
