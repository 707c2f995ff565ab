/** The messages between the models page and its worker. */
import type { ImportedNode } from "webgpu-rnn/formats";
import type { BackendChoice, BackendReport, DeviceReport, Problem } from "../messages.ts";

/** What a model runs on. */
export type Source =
  | { readonly kind: "sample" }
  /** Rows of numbers, one row a step. */
  | { readonly kind: "numbers"; readonly columns: number; readonly values: Float32Array<ArrayBuffer>; readonly name: string }
  | { readonly kind: "text"; readonly text: string };

export type Request =
  /** Read a model; if the files are invalid, the present one stays. `constants`: values of inputs that are always the same. */
  | {
      readonly kind: "open";
      readonly choice: BackendChoice;
      readonly files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
      readonly constants: Readonly<Record<string, number>>;
    }
  | { readonly kind: "backend"; readonly choice: BackendChoice }
  | { readonly kind: "run"; readonly source: Source }
  /** The last inputs again, on the other backend. */
  | { readonly kind: "compare" }
  | { readonly kind: "verify" }
  | { readonly kind: "export"; readonly as: ExportFormat };

/** What a model is written as. */
export type ExportFormat = "safetensors" | "onnx";

/** An input or output, with its sizes in words. */
export interface Port {
  readonly name: string;
  readonly sizes: string;
}

export interface ModelInfo {
  readonly name: string;
  readonly format: string;
  readonly parameters: number;
  readonly layers: readonly ImportedNode[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Number of ids that it reads; undefined if it reads numbers. */
  readonly ids: number | undefined;
  /** Numbers of a step. */
  readonly features: number;
  /** Whether ids stand for texts that the files have. */
  readonly hasTokens: boolean;
}

/** A result of a run, and numbers of it to draw. */
export interface Shown {
  readonly name: string;
  readonly sizes: string;
  readonly least: number;
  readonly mean: number;
  readonly most: number;
}

export interface RunReport {
  /** What it ran on, in words. */
  readonly on: string;
  readonly calls: number;
  readonly milliseconds: number;
  readonly results: readonly Shown[];
  /** The first features of the first output, by step. */
  readonly lines: readonly Float32Array<ArrayBuffer>[];
  /** How many features it has: as many as lines, or more. */
  readonly features: number;
  /** The text that the model goes on with, if its ids stand for texts. */
  readonly continuation: string | undefined;
}

export interface CompareReport {
  readonly agrees: boolean;
  readonly backends: readonly [string, string];
  readonly count: number;
  readonly worst: number;
  readonly where: string;
}

export type Reply =
  | ({ readonly kind: "backend" } & BackendReport)
  | { readonly kind: "model"; readonly model: ModelInfo }
  | { readonly kind: "run"; readonly report: RunReport }
  | { readonly kind: "compare"; readonly report: CompareReport }
  | { readonly kind: "verify"; readonly report: DeviceReport }
  /** `problem`: why the file holds weights alone. */
  | { readonly kind: "export"; readonly file: Uint8Array<ArrayBuffer>; readonly name: string; readonly problem: string }
  /** A request has been answered. */
  | { readonly kind: "done" }
  | { readonly kind: "problem"; readonly problem: Problem };
