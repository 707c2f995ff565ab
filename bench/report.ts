/** The report, as in the JSON file. The page, the terminal and pytorch.py write and read the same form. */
import type { Cell, Mode } from "./cases.ts";

export interface Row {
  readonly library: string;
  readonly version?: string;
  readonly backend: string;
  /** The device of this row, in words. */
  readonly adapter: string;
  readonly cell: Cell;
  readonly steps: number;
  readonly batch: number;
  readonly input: number;
  readonly hidden: number;
  /** Of a stream, if there are several. */
  readonly layers?: number;
  readonly mode: Mode;
  /** Milliseconds of one run: a forward pass from host array to host array, a training step, a generated text, a stream's call. */
  readonly median_ms: number;
  readonly min_ms: number;
  readonly max_ms: number;
  readonly samples: number;
  /** Forward only, where the library allows it: median without transfers, runs submitted back to back, by the GPU's own clock if it has one. */
  readonly steady_ms?: number;
  /** Of one run. */
  readonly dispatches: number;
  readonly submits: number;
  /** Of the matrix products, by `median_ms`. */
  readonly gflops: number;
  /** `gflops` as a share of the best matrix product of the same run on the same backend; ours only. */
  readonly of_matmul?: number;
  /** Microseconds per time step, by `steady_ms` where there is one. */
  readonly us_per_step: number;
  /** Largest difference from the twin in the check, relative to |b| + rms b. */
  readonly worst_error: number;
  /** Time steps in the check: all, except for shapes that would take the twins minutes. */
  readonly checked_steps: number;
}

/** A row that was not measured. */
export interface Absence {
  readonly library: string;
  readonly backend: string;
  /** Empty if the whole library is absent. */
  readonly case: string;
  /** `skipped`: it cannot do this. `refused`: it does not match the twin, or failed; it was not timed. */
  readonly kind: "skipped" | "refused";
  readonly reason: string;
}

/** The best matrix product that was seen on a backend. */
export interface Ceiling {
  readonly gflops: number;
  /** Kernel and size. */
  readonly what: string;
}

export interface Report {
  /** The WebGPU adapter, or why there is none. */
  readonly adapter: string;
  /** True if a CPU emulates the GPU: its WebGPU rows say nothing about any GPU. */
  readonly software: boolean;
  readonly note: string;
  readonly browser: string;
  /** ISO 8601. */
  readonly date: string;
  /** CPU model and cores. */
  readonly machine: string;
  readonly matmul: Readonly<Record<string, Ceiling>>;
  readonly rows: readonly Row[];
  readonly absent: readonly Absence[];
}

export const softwareNote =
  "The WebGPU adapter is software: a CPU that pretends to be a GPU. WebGPU rows compare dispatch schemes; they are not GPU speeds.";
export const hardwareNote = "The WebGPU adapter is a GPU.";
export const noAdapterNote = "There is no WebGPU adapter: no WebGPU row was measured.";
