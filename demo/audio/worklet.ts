/** The processor: a model's stream, called for each 128 samples. */
import { createStream } from "webgpu-rnn/stream";
import { quantum, type FromProcessor, type Load, type ProcessorOptions, type ToProcessor } from "./messages.ts";
import { Player } from "./player.ts";

// TypeScript's library has no declarations for what a worklet alone has.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: ProcessorOptions }) => AudioWorkletProcessor,
): void;
declare const sampleRate: number;

class ModelProcessor extends AudioWorkletProcessor {
  private player: Player | undefined;
  private bypass = false;
  private load: Load = { quanta: 0, milliseconds: 0, late: 0 };
  private readonly reportEvery: number;

  constructor({ processorOptions }: { processorOptions: ProcessorOptions }) {
    super();
    this.reportEvery = processorOptions.reportEvery ?? 128;
    this.port.onmessage = ({ data }: MessageEvent<ToProcessor>) => (this.bypass = data.value);
    void this.open(processorOptions).catch((error: unknown) => this.fail(error));
  }

  private async open({ file, form, module }: ProcessorOptions): Promise<void> {
    const stream = await createStream(file, { module });
    this.player = new Player(stream, form, (probability) => this.say({ kind: "voice", probability }));
    this.say({ kind: "ready" });
  }

  process([[input]]: Float32Array[][], [[output]]: Float32Array[][]): boolean {
    // A source that has ended has no channel.
    if (!input) return true;
    if (!this.player || this.bypass || input.length !== quantum) output.set(input);
    else this.compute(this.player, input, output);
    return true;
  }

  private compute(player: Player, input: Float32Array, output: Float32Array): void {
    const began = Date.now();
    try {
      player.play(input, output);
    } catch (error) {
      this.player = undefined;
      this.fail(error);
      return;
    }
    const took = Date.now() - began;
    const { quanta, milliseconds, late } = this.load;
    this.load = { quanta: quanta + 1, milliseconds: milliseconds + took, late: late + Number(took > (1000 * quantum) / sampleRate) };
    if (this.load.quanta < this.reportEvery) return;
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
