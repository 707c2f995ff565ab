// The models of the page of sound: streams of them compute what other software computes, quantum by quantum.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createBackend, createStream as streamOf, type Tensor } from "webgpu-rnn";
import { createStream, type Stream } from "webgpu-rnn/stream";
import { readDtln } from "../../demo/audio/dtln.ts";
import { quantum } from "../../demo/audio/messages.ts";
import { openSound, playableOf } from "../../demo/audio/open-sound.ts";
import { Player } from "../../demo/audio/player.ts";
import { root } from "../../scripts/bundle.mjs";
import { expectClose } from "../device/support.ts";

const models = join(root, "../shared/models");
const bytes = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(join(models, name)));
const isThere = existsSync(models);

/** Successive calls of a model, and what onnxruntime gave. */
function callsIn(name: string): { input: number[]; outputs: Record<string, { data: number[] }> }[] {
  return (JSON.parse(readFileSync(join(models, name), "utf8")) as { calls: ReturnType<typeof callsIn> }).calls;
}

type Files = Parameters<typeof playableOf>[0];

/** The stream that the page's processor plays. */
async function streamSound(files: Files): Promise<Stream> {
  const { file, module } = await playableOf(files);
  return createStream(file, { module });
}

/** Plays whole quanta; what comes out, and what a detector says. */
function play(player: Player, heard: number[], samples: Float32Array): { sound: Float32Array; heard: number[] } {
  const sound = new Float32Array(samples.length);
  for (let at = 0; at < samples.length; at += quantum) player.play(samples.subarray(at, at + quantum), sound.subarray(at, at + quantum));
  return { sound, heard };
}

async function playerOf(files: Files): Promise<(samples: Float32Array) => ReturnType<typeof play>> {
  const { file, form, module } = await playableOf(files);
  const heard: number[] = [];
  const player = new Player(await createStream(file, { module }), form, (probability) => heard.push(probability));
  return (samples) => play(player, heard, samples);
}

const noisy = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 0.3 * Math.sin(0.05 * i) * Math.sin(0.0007 * i) + 0.05 * Math.sin(i * i));

describe.skipIf(!isThere)("a voice detector on the page of sound", () => {
  it("gives the probabilities that onnxruntime gives, frame by frame", async () => {
    const files = { "vad.onnx": bytes("silero/silero_vad_16k_op15.onnx") };
    expect((await openSound(files)).form).toEqual({ gives: "voice", rate: 16000, frame: 576, hop: 512 });
    const stream = await streamSound(files);
    const calls = callsIn("silero/silero_vad_16k_op15.json");
    expect(calls.length).toBe(12);
    for (const { input, outputs } of calls) expectClose("probability", stream.step(input), Float32Array.from(outputs.output.data));
  });

  it("hears a frame of 512 samples with the 64 before it, and passes the sound on", async () => {
    const files = { "vad.onnx": bytes("silero/silero_vad_16k_op15.onnx") };
    const samples = noisy(512 * 5);
    const { sound, heard } = (await playerOf(files))(samples);
    expect(sound).toEqual(samples);
    const stream = await streamSound(files);
    const padded = new Float32Array(64 + samples.length);
    padded.set(samples, 64);
    const wanted = Array.from({ length: 5 }, (_, t) => stream.step(padded.subarray(512 * t, 512 * t + 576))[0]);
    expect(heard).toEqual(wanted);
  });
});

const sigmoid = (values: Float64Array): Float64Array => values.map((value) => 1 / (1 + Math.exp(-value)));

/** DTLN in plain float64 code, by the names of its file's weights, frame after frame. */
class PlainDtln {
  private readonly states = new Map<string, { h: Float64Array; c: Float64Array }>();

  constructor(private readonly weights: Readonly<Record<string, Tensor>>) {}

  private linear(name: string, x: ArrayLike<number>): Float64Array {
    const { shape, data } = this.weights[`${name}.weight`];
    const bias = this.weights[`${name}.bias`] as Tensor | undefined;
    return Float64Array.from({ length: shape[0] }, (_, o) => {
      let sum = bias ? bias.data[o] : 0;
      for (let i = 0; i < x.length; i++) sum += data[o * x.length + i] * x[i];
      return sum;
    });
  }

  private lstm(name: string, x: ArrayLike<number>): Float64Array {
    const H = 128;
    const { h, c } = this.states.get(name) ?? { h: new Float64Array(H), c: new Float64Array(H) };
    const of = (part: string): ArrayLike<number> => this.weights[`${name}.${part}_l0`].data;
    const [W, U, b] = [of("weight_ih"), of("weight_hh"), of("bias_ih")];
    const gates = Float64Array.from({ length: 4 * H }, (_, g) => {
      let sum = b[g];
      for (let i = 0; i < x.length; i++) sum += W[g * x.length + i] * x[i];
      for (let i = 0; i < H; i++) sum += U[g * H + i] * h[i];
      return g >= 2 * H && g < 3 * H ? Math.tanh(sum) : 1 / (1 + Math.exp(-sum));
    });
    const next = c.map((value, i) => gates[H + i] * value + gates[i] * gates[2 * H + i]);
    const output = next.map((value, i) => gates[3 * H + i] * Math.tanh(value));
    this.states.set(name, { h: output, c: next });
    return output;
  }

  /** The first core: what each frequency of a frame is worth. */
  factors(magnitude: ArrayLike<number>): Float64Array {
    return sigmoid(this.linear("dense", this.lstm("lstm_1", this.lstm("lstm", magnitude))));
  }

  step(samples: ArrayLike<number>): Float64Array {
    const N = 512;
    const F = 257;
    const wave = (k: number): [number, number] => [Math.cos((2 * Math.PI * k) / N), Math.sin((2 * Math.PI * k) / N)];
    const spectrum = Array.from({ length: F }, (_, f) => {
      let [re, im] = [0, 0];
      for (let m = 0; m < N; m++) {
        const [cos, sin] = wave((f * m) % N);
        re += samples[m] * cos;
        im -= samples[m] * sin;
      }
      return [re, im] as const;
    });
    const factors = this.factors(Float64Array.from(spectrum, ([re, im]) => Math.hypot(re, im)));
    const filtered = Float64Array.from({ length: N }, (_, m) => {
      let sum = 0;
      // All N frequencies of a real signal: those above the middle mirror the others.
      for (let f = 0; f < N; f++) {
        const at = f < F ? f : N - f;
        const [re, im] = spectrum[at];
        const [cos, sin] = wave((f * m) % N);
        sum += factors[at] * (re * cos - (f < F ? im : -im) * sin);
      }
      return sum / N;
    });
    const features = this.linear("conv1d", filtered);
    const mean = features.reduce((sum, value) => sum + value, 0) / features.length;
    const variance = features.reduce((sum, value) => sum + (value - mean) ** 2, 0) / features.length;
    const [gamma, beta] = ["weight", "bias"].map((part) => this.weights[`layer_normalization.${part}`].data);
    const normal = features.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-7)) * gamma[i] + beta[i]);
    const learnt = sigmoid(this.linear("dense_1", this.lstm("lstm_3", this.lstm("lstm_2", normal))));
    return this.linear(
      "conv1d_1",
      features.map((value, i) => value * learnt[i]),
    );
  }
}

describe.skipIf(!isThere)("noise suppression on the page of sound", () => {
  it("has the weights of the first core as the authors' ONNX file has them", async () => {
    const plain = new PlainDtln(await (await readDtln(bytes("dtln/model.h5"))).stateDict());
    const calls = callsIn("dtln/model_1.json");
    expect(calls.length).toBe(8);
    for (const { input, outputs } of calls)
      expectClose("factors", Float32Array.from(plain.factors(input)), Float32Array.from(outputs.activation_2.data));
  });

  it("computes both cores and the spectra between them as plain code does, frame by frame", async () => {
    const model = await readDtln(bytes("dtln/model.h5"));
    const plain = new PlainDtln(await model.stateDict());
    const stream = await streamOf(model, { backend: await createBackend("cpu") });
    const samples = noisy(512 + 128 * 9);
    for (let t = 0; t < 10; t++) {
      const frame = samples.subarray(128 * t, 128 * t + 512);
      expectClose(`frame ${t}`, stream.step(frame), Float32Array.from(plain.step(frame)));
    }
  });

  it("adds up frames of 512 samples, 128 apart, as soon as they are complete", async () => {
    const files = { "model.h5": bytes("dtln/model.h5") };
    const samples = noisy(128 * 12);
    const { sound } = (await playerOf(files))(samples);
    const stream = await streamSound(files);
    const padded = new Float32Array(384 + samples.length);
    padded.set(samples, 384);
    const wanted = new Float32Array(samples.length + 512);
    for (let t = 0; t < 12; t++) stream.step(padded.subarray(128 * t, 128 * t + 512)).forEach((value, i) => (wanted[128 * t + i] += value));
    expectClose("sound", sound, wanted.slice(0, samples.length));
  });

  it("refuses a file of other layers in the importer's words", async () => {
    const other = bytes("keras/simplernn_dense.weights.h5");
    await expect(openSound({ "other.h5": other })).rejects.toThrow("it holds weights without a description of the layers");
  });
});
