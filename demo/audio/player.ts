/** Sound, quantum by quantum, through a stream: sample by sample, or in frames that overlap. */
import { RnnError, type Stream } from "webgpu-rnn/stream";
import { quantum, type Form } from "./messages.ts";

/** Silence that a model hears first: an amplifier has been on for a while, and its states come to rest. */
export const quietQuanta = 40;

export class Player {
  private readonly results: Float32Array;
  /** The latest samples, and what frames have given for those to come. */
  private readonly frame: Float32Array;
  private readonly sum: Float32Array;
  /** Samples since the last frame. */
  private fresh = 0;

  /**
   * @param hears gets what a voice detector says of each frame
   * @throws RnnError `option` if the stream is none of this form
   */
  constructor(
    private readonly stream: Stream,
    private readonly form: Form,
    private readonly hears: (probability: number) => void,
  ) {
    const outputs = form.gives === "voice" ? 1 : form.frame;
    if (stream.inputSize !== form.frame || stream.outputSize !== outputs) {
      const what = `reads ${stream.inputSize} numbers and gives ${stream.outputSize}`;
      const wanted = form.frame === 1 ? "read one sample and give one" : `read ${form.frame} numbers and give ${outputs}`;
      throw new RnnError("option", "The model", `must ${wanted} in each step; this one ${what}`);
    }
    this.results = new Float32Array(quantum);
    this.frame = new Float32Array(form.frame);
    this.sum = new Float32Array(Math.max(form.frame, quantum));
    // The first calls also make what later ones need.
    const silence = new Float32Array(quantum);
    if (form.frame === 1) for (let i = 0; i < quietQuanta; i++) stream.steps(silence, this.results);
    else {
      stream.step(this.frame);
      stream.reset();
    }
  }

  /** Computes one quantum. Frames of sound come out as soon as no later frame adds to them. Allocates nothing. */
  play(input: Float32Array, output: Float32Array): void {
    const { stream, form, results } = this;
    if (form.frame === 1) output.set(stream.steps(input, results));
    else if (form.gives === "sound") this.overlap(input, output);
    else {
      output.set(input);
      if (this.takes(input)) this.hears(stream.step(this.frame)[0]);
    }
  }

  /** Whether a frame is due with these samples. */
  private takes(input: Float32Array): boolean {
    const { frame, form } = this;
    frame.copyWithin(0, quantum);
    frame.set(input, form.frame - quantum);
    this.fresh += quantum;
    if (this.fresh < form.hop) return false;
    this.fresh = 0;
    return true;
  }

  private overlap(input: Float32Array, output: Float32Array): void {
    const { sum, stream, results } = this;
    if (this.takes(input)) {
      const made = stream.step(this.frame);
      for (let i = 0; i < made.length; i++) sum[i] += made[i];
    }
    // Not a part of `sum`, which would be an object for each quantum.
    for (let i = 0; i < quantum; i++) results[i] = sum[i];
    output.set(results);
    sum.copyWithin(0, quantum);
    sum.fill(0, sum.length - quantum);
  }
}
