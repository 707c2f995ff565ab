/** The messages between the audio page and its processor, which lives in an AudioWorklet. */
/** Samples of a block, as the browser hands them over. */
export const quantum = 128;

export type Files = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** How a model takes sound, and what it makes of it. */
export interface Form {
  /** Sound, or how likely it is that somebody speaks: the sound then goes on as it is. */
  readonly gives: "sound" | "voice";
  /** Samples a second; undefined if any will do. */
  readonly rate: number | undefined;
  /** Samples of a frame, and from one frame to the next; both are 1 if it goes sample by sample. */
  readonly frame: number;
  readonly hop: number;
}

/** What the processor gets when it is made. */
export interface ProcessorOptions {
  /** What `saveStream` wrote. */
  readonly file: Uint8Array<ArrayBuffer>;
  readonly form: Form;
  /** What `compile` of webgpu-rnn/stream gave; without it, the processor compiles by itself. */
  readonly module?: WebAssembly.Module;
  /** Blocks between two reports of the load; 128 if it is not said. */
  readonly reportEvery?: number;
}

/** A model that the processor can play, and what the page says about it. */
export interface Playable extends ProcessorOptions {
  readonly format: string;
  readonly parameters: number;
}

/** Sound goes through unchanged. */
export type ToProcessor = { readonly kind: "bypass"; readonly value: boolean };

/** How much of the time of a stretch of sound was needed to compute it. */
export interface Load {
  /** Blocks of 128 samples. */
  readonly quanta: number;
  /** Spent in the model. The worklet's clock has whole milliseconds, so only sums mean something. */
  readonly milliseconds: number;
  /** Quanta that took longer than they last. */
  readonly late: number;
}

export type FromProcessor =
  | { readonly kind: "ready" }
  | { readonly kind: "problem"; readonly message: string }
  /** How likely it is that somebody speaks, once for each frame. */
  | { readonly kind: "voice"; readonly probability: number }
  | ({ readonly kind: "load" } & Load);
