/** The processor: a stream of a model that reads one sample and gives one, called for each 128 samples. */
import { createStream, RnnError, type Stream } from "webgpu-rnn/stream";
import type { FromProcessor, Load, ProcessorOptions, ToProcessor } from "./messages.ts";

// TypeScript's library has no declarations for what a worklet alone has.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: ProcessorOptions }) => AudioWorkletProcessor,
): void;
declare const sampleRate: number;

/** Quanta between two reports. */
const reportEvery = 128;
/** Samples of a quantum. */
const quantum = 128;
/** Silence that a model hears first. */
const quietQuanta = 40;

class ModelProcessor extends AudioWorkletProcessor {
  private stream: Stream | undefined;
  private bypass = false;
  private load: Load = { quanta: 0, milliseconds: 0, late: 0 };
  private readonly results = new Float32Array(quantum);

  constructor({ processorOptions }: { processorOptions: ProcessorOptions }) {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToProcessor>) => (this.bypass = data.value);
    void this.open(processorOptions).catch((error: unknown) => this.fail(error));
  }

  private async open({ file, module }: ProcessorOptions): Promise<void> {
    const stream = await createStream(file, { module });
    const { inputSize, outputSize } = stream;
    if (inputSize !== 1 || outputSize !== 1) {
      const what = `reads ${inputSize} numbers and gives ${outputSize}`;
      throw new RnnError("option", "The model", `must read one sample and give one in each step; this one ${what}`);
    }
    // An amplifier has been on for a while: states come to rest.
    const silence = new Float32Array(quantum);
    for (let i = 0; i < quietQuanta; i++) stream.steps(silence, this.results);
    this.stream = stream;
    this.say({ kind: "ready" });
  }

  process([[input]]: Float32Array[][], [[output]]: Float32Array[][]): boolean {
    // A source that has ended has no channel.
    if (!input) return true;
    if (!this.stream || this.bypass || input.length !== quantum) output.set(input);
    else this.compute(this.stream, input, output);
    return true;
  }

  private compute(stream: Stream, input: Float32Array, output: Float32Array): void {
    const began = Date.now();
    try {
      stream.steps(input, this.results);
      output.set(this.results);
    } catch (error) {
      this.stream = undefined;
      this.fail(error);
      return;
    }
    const took = Date.now() - began;
    const { quanta, milliseconds, late } = this.load;
    this.load = { quanta: quanta + 1, milliseconds: milliseconds + took, late: late + Number(took > (1000 * quantum) / sampleRate) };
    if (this.load.quanta < reportEvery) return;
    this.say({ kind: "load", ...this.load });
    this.load = { quanta: 0, milliseconds: 0, late: 0 };
  }

  private fail(error: unknown): void {
    this.say({ kind: "problem", message: error instanceof Error ? error.message : String(error) });
  }

  private say(message: FromProcessor): void {
    this.port.postMessage(message);
  }
}

registerProcessor("model", ModelProcessor);
