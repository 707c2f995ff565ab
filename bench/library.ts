/** What a library must offer to be measured: ours and every peer implement this. */
import type { Case, Mode } from "./cases.ts";
import type { Outcome, Problem } from "./problem.ts";

/** A case made ready: weights on the device, everything compiled. */
export interface Subject {
  /**
   * The numbers that prove it computes what is asked for: `output`, and for training `gradient <name>` and
   * `updated <name>` after one step, by PyTorch's names.
   */
  check(): Promise<Outcome>;
  /**
   * What is timed. Forward: `times` times from a host array to a host array. Training: `times` steps, the loss of the
   * last one read. Generation: `times` texts. Stream: `times` calls.
   */
  run(times: number): Promise<void>;
  /**
   * Forward without transfers: `times` passes over data on the device, one after the other, waited for at the end.
   * @returns their milliseconds by the device's own clock, if it has one
   */
  steady?(times: number): Promise<number | undefined>;
  /** Dispatches and submits so far, where the library counts them; else the bench counts WebGPU calls. */
  readonly counters?: { readonly dispatches: number; readonly submits: number };
  free(): void | Promise<void>;
}

export interface Library {
  /** Package name. */
  readonly name: string;
  /** "cpu", "webgpu", "wasm", "webgl", … */
  readonly backend: string;
  /** Device in words. */
  readonly adapter: string;
  readonly version?: string;
  /** The only modes that it is for; in others nobody speaks of it. All if left out. */
  readonly modes?: readonly Mode[];
  /** Names in an outcome without which a check of this mode proves too little; by default all that the problem expects. */
  required?(of: Case): readonly string[];
  /** Why it cannot do this case, or undefined. */
  refuses(of: Case): string | undefined;
  prepare(of: Case, problem: Problem): Promise<Subject>;
}

export const libraryName = ({ name, backend }: Pick<Library, "name" | "backend">): string => `${name} ${backend}`;
