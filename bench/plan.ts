/** Turns a user's options, which can be sent to a worker, into a plan. */
import { allCases, cells, gridShapes, modes, parseShape, type Cell, type Mode } from "./cases.ts";
import { defaultEffort } from "./measure.ts";
import type { Plan } from "./runner.ts";

export interface PlanOptions {
  /** A regular expression, matched with "library backend cell TxBxIxH mode". */
  readonly only?: string;
  /** "64x32x64x128"; the usual ones of each mode if left out. */
  readonly shapes?: readonly string[];
  readonly cells?: readonly string[];
  readonly modes?: readonly string[];
  /** Seconds of timing per row. */
  readonly seconds?: number;
  /** The grid for GPUs instead: one LSTM layer over widths, batches and lengths, forward and training. */
  readonly grid?: boolean;
}

/** @throws Error in words if something is unknown */
export function planFrom({
  only,
  shapes,
  cells: cellNames,
  modes: modeNames,
  seconds = defaultEffort.seconds,
  grid = false,
}: PlanOptions): Plan {
  if (!(seconds > 0)) throw new Error(`seconds must be above 0, got ${seconds}`);
  const wanted = {
    cells: (cellNames ?? (grid ? ["lstm"] : undefined))?.map((name) => oneOf<Cell>("cell", cells, name)),
    modes: (modeNames ?? (grid ? ["forward", "training"] : undefined))?.map((name) => oneOf<Mode>("mode", modes, name)),
  };
  const sizes = shapes?.map(parseShape);
  if (sizes?.some(({ layers = 1 }) => layers > 1) && wanted.modes?.some((mode) => mode !== "stream") !== false)
    throw new Error("several layers are measured in the mode stream only");
  return {
    cases: allCases(sizes ?? (grid ? gridShapes : undefined), wanted),
    effort: { ...defaultEffort, seconds },
    only: only === undefined ? undefined : new RegExp(only, "i"),
  };
}

function oneOf<T extends string>(what: string, known: readonly T[], name: string): T {
  const found = known.find((one) => one === name);
  if (found === undefined) throw new Error(`"${name}" is no ${what}; known are ${known.join(", ")}`);
  return found;
}
