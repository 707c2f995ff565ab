/** The messages between the page and its worker. All of them can be sent by postMessage. */
import type { ErrorKind, Finding } from "webgpu-rnn";

export type Cell = "lstm" | "gru" | "rnn";
export type BackendChoice = "auto" | "webgpu" | "cpu";

/** The settings before training. */
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
  /**
   * Replace the present model by that of a checkpoint; if the file is invalid, the present one continues. `text` is the
   * page's text, to continue the training with; `learningRate` replaces the file's.
   */
  | {
      readonly kind: "open";
      readonly choice: BackendChoice;
      readonly file: Uint8Array<ArrayBuffer>;
      readonly name: string;
      readonly text: Text | null;
      readonly andTrain: boolean;
      readonly learningRate?: number;
    }
  /** Continue training on this text; null: on the same text as before. */
  | { readonly kind: "resume"; readonly text: Text | null }
  | { readonly kind: "pause" }
  | { readonly kind: "learningRate"; readonly value: number }
  /** How the samples during training are drawn. */
  | { readonly kind: "sampling"; readonly sampling: Sampling }
  | { readonly kind: "sample"; readonly sampling: Sampling }
  /** `asked`: for a download; otherwise for the copy to fall back on. */
  | { readonly kind: "checkpoint"; readonly asked: boolean }
  /** Check the model's kernels; `settings` are for a model made up if there is none. */
  | { readonly kind: "verify"; readonly settings: Settings };

export interface ModelInfo {
  readonly settings: Settings;
  readonly parameters: number;
  readonly vocabulary: number;
  readonly step: number;
  /** The text that it learns from. */
  readonly textName: string;
  /** True if the text is available, so that training can continue. */
  readonly hasText: boolean;
}

/** The memory that a training will take, sent before it is allocated. */
export interface Planned {
  readonly parameters: number;
  readonly bytes: number;
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
  readonly during: Request["kind"] | "training" | "run" | "compare" | "export";
  /** `other` is a fault of the page's own. */
  readonly kind: ErrorKind | "other";
  readonly message: string;
}

/** The present backend, the requested one, and the reason for the choice. */
export interface BackendReport {
  readonly choice: BackendChoice;
  readonly backend: "cpu" | "webgpu";
  readonly adapter: string;
  readonly reason: string;
}

export type Reply =
  | ({ readonly kind: "backend" } & BackendReport)
  | { readonly kind: "planned"; readonly planned: Planned }
  /** There is another model, or it has moved to another backend; `opened`: the name of its file. */
  | { readonly kind: "model"; readonly model: ModelInfo; readonly opened: string | null }
  /** `textName`: the text that is read from now on. */
  | { readonly kind: "state"; readonly state: "training"; readonly textName: string }
  | { readonly kind: "state"; readonly state: "paused" }
  | { readonly kind: "progress"; readonly steps: readonly StepReport[]; readonly charactersPerSecond: number }
  /** A piece of a sample; samples are told apart by `id`. `leftOut`: characters of the prompt that the model has never seen. */
  | {
      readonly kind: "sample";
      readonly id: number;
      readonly step: number;
      readonly loss: number | null;
      readonly prompt: string;
      readonly leftOut: string;
      readonly temperature: number;
      readonly piece: string;
      readonly done: boolean;
    }
  /** `asked`: for a download; otherwise the copy to fall back on. */
  | { readonly kind: "checkpoint"; readonly file: Uint8Array<ArrayBuffer>; readonly step: number; readonly asked: boolean }
  | { readonly kind: "verify"; readonly report: DeviceReport }
  | { readonly kind: "problem"; readonly problem: Problem };
