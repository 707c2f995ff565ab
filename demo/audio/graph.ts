/** Sound through a model: a source, the processor, and what hears it. */
import { RnnError } from "webgpu-rnn";
import { quantum, type FromProcessor, type Load, type Playable, type ProcessorOptions, type ToProcessor } from "./messages.ts";

export interface Hears {
  load(load: Load): void;
  problem(message: string): void;
  /** What a voice detector says of the next frame. */
  voice(probability: number): void;
}

/** A processor in a context, when its model is there. */
export class ModelNode {
  private constructor(readonly node: AudioWorkletNode) {}

  /** @throws RnnError `format` in the words of the processor, if it cannot use the model */
  static async create(context: BaseAudioContext, model: Playable, hears: Hears, reportEvery?: number): Promise<ModelNode> {
    const { file, form, module } = model;
    await context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "model", {
      outputChannelCount: [1],
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { file, form, module, reportEvery } satisfies ProcessorOptions,
    });
    await new Promise<void>((resolve, reject) => {
      node.onprocessorerror = () => reject(new RnnError("format", "The model", "the processor has ended"));
      node.port.onmessage = ({ data }: MessageEvent<FromProcessor>) => {
        if (data.kind === "ready") resolve();
        else if (data.kind === "load") hears.load(data);
        else if (data.kind === "voice") hears.voice(data.probability);
        else {
          hears.problem(data.message);
          reject(new RnnError("format", "The model", data.message));
        }
      };
    });
    return new ModelNode(node);
  }

  bypass(value: boolean): void {
    this.node.port.postMessage({ kind: "bypass", value } satisfies ToProcessor);
  }
}

/** Plays samples through a model as fast as it computes; what comes out. */
export async function render(
  samples: Float32Array<ArrayBuffer>,
  rate: number,
  model: Playable,
  hears: Hears,
): Promise<Float32Array<ArrayBuffer>> {
  const context = new OfflineAudioContext(1, samples.length, rate);
  // A second of speech has fewer blocks than there are between the usual reports.
  const { node } = await ModelNode.create(context, model, hears, Math.ceil(samples.length / quantum));
  sourceOf(context, samples, rate).connect(node).connect(context.destination);
  return (await context.startRendering()).getChannelData(0);
}

/** A source that plays samples again and again. */
export function sourceOf(context: BaseAudioContext, samples: Float32Array<ArrayBuffer>, rate: number): AudioBufferSourceNode {
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.copyToChannel(samples, 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.loop = true;
  source.start();
  return source;
}
