/** The messages between the page (or the terminal program) and the worker. */
import type { Mode } from "./cases.ts";
import type { PlanOptions } from "./plan.ts";
import type { Absence, Report } from "./report.ts";
import type { Event } from "./runner.ts";

export type Request =
  /** Find the devices and the libraries; with `all` those too that are not measured by default. */
  | { readonly kind: "open"; readonly all: boolean }
  /** Run a plan. `machine` is what the report says; a page knows no more than the number of cores. */
  | { readonly kind: "run"; readonly options: PlanOptions; readonly machine?: string; readonly browser?: string }
  /** End the run between two samples. */
  | { readonly kind: "stop" };

export interface LibraryInfo {
  readonly name: string;
  readonly backend: string;
  readonly adapter: string;
  readonly version?: string;
  /** The only modes that it is for. */
  readonly modes?: readonly Mode[];
}

export type Reply =
  /** `more`: there are libraries besides that could be opened. */
  | {
      readonly kind: "opened";
      readonly adapter: string;
      readonly software: boolean;
      readonly note: string;
      readonly libraries: readonly LibraryInfo[];
      readonly absent: readonly Absence[];
      readonly more: boolean;
    }
  | { readonly kind: "event"; readonly event: Event }
  /** `text` is the report for a terminal. */
  | { readonly kind: "done"; readonly report: Report; readonly text: string; readonly stopped: boolean }
  | { readonly kind: "problem"; readonly message: string };
