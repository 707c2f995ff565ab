/** The messages between the gradients page and its worker. */
import type { BackendChoice, BackendReport, Problem } from "../messages.ts";

/** The settings before training. */
export interface Settings {
  /** T, the steps of a sequence. */
  readonly steps: number;
  readonly units: number;
  readonly learningRate: number;
  /** Largest norm of a gradient; 0: not clipped. */
  readonly clip: number;
  /** The IRNN's recurrent weights start as this multiple of the identity. */
  readonly identityTimes: number;
  /** True if only the error of the last step counts. */
  readonly lastOnly: boolean;
}

export type Request =
  /** Make new networks, and train them at once if so wished. */
  | { readonly kind: "start"; readonly choice: BackendChoice; readonly settings: Settings; readonly andTrain: boolean }
  /** Move the networks to another backend. */
  | { readonly kind: "backend"; readonly choice: BackendChoice }
  | { readonly kind: "resume" }
  | { readonly kind: "pause" }
  | { readonly kind: "learningRate"; readonly value: number };

/** The losses of all networks in a step, in the order of `networks`; NaN of one that has failed. */
export interface Losses {
  readonly step: number;
  readonly losses: readonly number[];
}

export type Reply =
  | ({ readonly kind: "backend" } & BackendReport)
  /**
   * New networks, or the present ones on another backend; `guessing`: the loss of predicting the mean of the targets.
   */
  | { readonly kind: "networks"; readonly step: number; readonly guessing: number }
  | { readonly kind: "state"; readonly state: "training" | "paused" }
  | { readonly kind: "progress"; readonly steps: readonly Losses[] }
  /** ‖∂E_t/∂h_k‖ of one network, [steps, steps + 1]. */
  | { readonly kind: "flow"; readonly network: number; readonly steps: number; readonly norms: Float32Array<ArrayBuffer> }
  /** The loss of one network is no longer a number. */
  | { readonly kind: "failed"; readonly network: number; readonly message: string }
  | { readonly kind: "problem"; readonly problem: Problem };
