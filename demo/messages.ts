/** What the page and its worker say to each other. Everything here can be sent by postMessage. */
import type { ErrorKind, Finding } from "webgpu-rnn";

export type Cell = "lstm" | "gru" | "rnn";
export type BackendChoice = "auto" | "webgpu" | "cpu";

/** What a visitor chooses before training. */
export interface Settings {
  readonly cell: Cell;
  readonly embedding: number;
  readonly hidden: number;
  readonly layers: number;
  /** Places in the text that are read side by side. */
  readonly batch: number;
  /** Characters read between two updates. */
  readonly window: number;
  readonly learningRate: number;
  readonly seed: number;
}

export interface Text {
  readonly name: string;
  readonly text: string;
}

/** How text is drawn from the model. */
export interface Sampling {
  readonly prompt: string;
  readonly length: number;
  readonly temperature: number;
}

export type Request =
  /** Choose what to compute on; a model that exists moves there. */
  | { readonly kind: "backend"; readonly choice: BackendChoice }
  /** Make a new model and train it. */
  | { readonly kind: "start"; readonly choice: BackendChoice; readonly settings: Settings; readonly text: Text }
  /** Make the model of a checkpoint; `text` is the one at hand, for going on with the training. */
  | { readonly kind: "open"; readonly choice: BackendChoice; readonly file: Uint8Array<ArrayBuffer>; readonly name: string; readonly text: Text | null; readonly andTrain: boolean }
  /** Go on training; `text` in case the model was opened without one. */
  | { readonly kind: "resume"; readonly text: Text | null }
  | { readonly kind: "pause" }
  | { readonly kind: "learningRate"; readonly value: number }
  /** How the samples during training are drawn. */
  | { readonly kind: "sampling"; readonly sampling: Sampling }
  | { readonly kind: "sample"; readonly sampling: Sampling }
  | { readonly kind: "checkpoint" }
  /** Check the model's kernels; `settings` are for a model made up if there is none. */
  | { readonly kind: "verify"; readonly settings: Settings };

export interface ModelInfo {
  readonly settings: Settings;
  readonly parameters: number;
  readonly vocabulary: number;
  readonly step: number;
  /** The text it was trained on. */
  readonly textName: string;
  /** Why training cannot go on as it is, or null if it can. */
  readonly cannotTrain: string | null;
}

export interface StepReport {
  readonly step: number;
  /** Nats per character. */
  readonly loss: number;
}

export interface DeviceReport {
  readonly passed: boolean;
  readonly adapter: string;
  readonly commands: number;
  readonly compared: number;
  readonly findings: readonly Finding[];
  /** The whole report in words, for the clipboard. */
  readonly text: string;
}

export interface Problem {
  readonly during: Request["kind"] | "training";
  /** `other` is a fault of the page's own. */
  readonly kind: ErrorKind | "other";
  readonly message: string;
}

/** What is computed on, what was asked for, and why it is this. */
export interface BackendReport {
  readonly choice: BackendChoice;
  readonly backend: "cpu" | "webgpu";
  readonly adapter: string;
  readonly reason: string;
}

export type Reply =
  | ({ readonly kind: "backend" } & BackendReport)
  | { readonly kind: "model"; readonly model: ModelInfo; readonly opened: string | null }
  | { readonly kind: "state"; readonly state: "training" | "paused" }
  | { readonly kind: "progress"; readonly steps: readonly StepReport[]; readonly charactersPerSecond: number }
  /** A piece of a sample; samples are told apart by `id`. `leftOut`: characters of the prompt that the model has never seen. */
  | { readonly kind: "sample"; readonly id: number; readonly step: number; readonly loss: number | null; readonly prompt: string; readonly leftOut: string; readonly temperature: number; readonly piece: string; readonly done: boolean }
  /** `asked`: for a download; otherwise the copy to fall back on. */
  | { readonly kind: "checkpoint"; readonly file: Uint8Array<ArrayBuffer>; readonly step: number; readonly asked: boolean }
  | { readonly kind: "verify"; readonly report: DeviceReport }
  | { readonly kind: "problem"; readonly problem: Problem };
