/** Recurrent cells that users define. */
import { checkBoolean, checkChoice, checkFunction, checkInteger, reading, RnnError, show } from "../../errors.ts";
import { takeItems, takeOptions } from "../../options.ts";
import type { CellArithmetic, CellBackward, CellForward, Gates } from "../cells/arithmetic.ts";
import type { Cell } from "../cells/cell.ts";
import type { Memory } from "../cells/memory.ts";
import { checkDerivative, checkStates } from "./check-cell.ts";
import { regularizationNames } from "./regularizer.ts";
import { commonOptions, takeBias, takeLayerOptions, type RecurrentLayerOptions } from "./layer-options.ts";
import { RecurrentLayer } from "./recurrent-layer.ts";

/** The arithmetic of one unit in one step, with its derivative, twice: in TypeScript and in WGSL. */
export interface CustomCell<M = number> {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string;
  /** One to four, in the order of the rows of the weights; also the members of WGSL's `Gates`. */
  readonly gateNames: readonly string[];
  /**
   * Names of the states besides h that go from step to step (default none). One state is the number c. Several take its
   * place as an object with these names; in WGSL, a struct `Memory` takes the place of the f32.
   */
  readonly states?: readonly string[];
  /** Whether `forward` gives a c that `backward` needs (default: whether there are states). */
  readonly usesC?: boolean;
  /**
   * "none": there is no U, and `recurrent` is zeros; the weights are W and b_ih alone. The layer then takes no
   * normalization, zoneout, recurrentDropout, recurrentInit or projSize. Default "matrix".
   */
  readonly recurrence?: "matrix" | "none";
  /**
   * Whether h_t = a⊙h_{t-1} + b, where gates, a and b do not depend on h_{t-1} (default false). A scan then computes
   * the time steps side by side. It needs `recurrence: "none"` and no c. |a| must be at most 1, or products of many
   * overflow.
   */
  readonly linearRecurrence?: boolean;
  /** Whether dRecurrent may differ from dGates (default false); if not, `backward` may leave it out. */
  readonly splitsRecurrentGradient?: boolean;
  /**
   * `fn forward(x: Gates, recurrent: Gates, hPrevious: f32, cPrevious: f32) -> CellForward` and
   * `fn backward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32) -> CellBackward`, with
   * `struct CellForward { gates: Gates, h: f32, c: f32 }` and
   * `struct CellBackward { dGates: Gates, dRecurrent: Gates, dhPrevious: f32, dcPrevious: f32 }`. They may call `sigmoid`,
   * `safeTanh` and `safeExp`, which do not overflow. If there is a `stateOf`, also
   * `fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32>`, which returns h and c (0 without). A cell without
   * WGSL runs on the CPU backend only.
   */
  readonly wgsl?: string;
  /** @param x W·x_t + b_ih; @param recurrent U·h_{t-1} + b_hh; a number for each gate */
  forward(x: Gates, recurrent: Gates, hPrevious: number, cPrevious: M): CellForward<M>;
  /** Computes the gradients of `forward`'s arguments from its results, ∂L/∂h and ∂L/∂c. */
  backward(
    gates: Gates,
    hPrevious: number,
    h: number,
    cPrevious: M,
    c: M,
    dh: number,
    dc: M,
  ): Omit<CellBackward<M>, "dRecurrent"> & { readonly dRecurrent?: Gates };
  /**
   * Computes h and c (0 without) from `forward`'s gates and the state before. Zoneout needs it. Only for cells with at
   * most one state besides h.
   */
  stateOf?(gates: Gates, hPrevious: number, cPrevious: number): { h: number; c: number };
}

/** A checked definition. */
interface Definition {
  readonly cell: Cell;
  /** Whether a unit's h_{t-1} reaches its h_t by another way than U. */
  readonly readsH: boolean;
}

/** Cells by definition, so that layers of the same definition share pipelines. */
const defined = new WeakMap<object, Definition>();
let count = 0;

/**
 * Checks a user's cell and its derivative, for use in `CustomRNN`. `verify` checks that its WGSL and its TypeScript
 * agree.
 * @throws RnnError `option` if something is missing, or if `backward` is not the derivative of `forward`
 */
export function defineCell<M = number>(given: CustomCell<M>): CustomCell<M> {
  const where = "defineCell";
  const cell = takeOptions(
    where,
    given,
    [
      "name",
      "gateNames",
      "states",
      "usesC",
      "recurrence",
      "linearRecurrence",
      "splitsRecurrentGradient",
      "wgsl",
      "forward",
      "backward",
      "stateOf",
    ],
    { needed: true },
  ) as unknown as CustomCell<Memory>;
  const { name, wgsl } = cell;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,59}$/.test(name))
    throw new RnnError("option", where, `name must be of at most 60 lower-case letters, digits and hyphens, got ${show(name)}`);
  const gateNames = takeNames(where, "gateNames", name, cell.gateNames, [1, 4]);
  const states = cell.states === undefined ? [] : takeNames(where, "states", name, cell.states, [0, 3]);
  const usesC = checkBoolean(where, "usesC", cell.usesC ?? states.length > 0);
  const splitsRecurrentGradient = checkBoolean(where, "splitsRecurrentGradient", cell.splitsRecurrentGradient ?? false);
  const recurrence = checkChoice(where, "recurrence", cell.recurrence ?? "matrix", ["matrix", "none"]);
  const isLinear = checkBoolean(where, "linearRecurrence", cell.linearRecurrence ?? false);
  if (isLinear && (recurrence !== "none" || usesC))
    throw new RnnError(
      "option",
      where,
      `linearRecurrence of "${name}" needs recurrence: "none" and a cell without c, whose only state is h`,
    );
  if (recurrence === "none" && splitsRecurrentGradient)
    throw new RnnError(
      "option",
      where,
      `"${name}" has recurrence: "none", so that there is no dRecurrent to split; leave out splitsRecurrentGradient`,
    );
  if (cell.stateOf !== undefined && states.length > 1)
    throw new RnnError(
      "option",
      where,
      `stateOf of "${name}" is for zoneout, which takes cells with at most one state besides h; leave it out`,
    );
  if (states.includes("h")) throw new RnnError("option", where, `states of "${name}" must be those besides h, which every cell has`);
  if (states.length > 0 && !usesC) throw new RnnError("option", where, `"${name}" has states, which are in c; usesC must not be false`);
  for (const fn of ["forward", "backward", ...(cell.stateOf === undefined ? [] : (["stateOf"] as const))] as const) {
    checkFunction(where, fn, (cell as unknown as Record<string, unknown>)[fn]);
    if (wgsl !== undefined && (typeof wgsl !== "string" || !new RegExp(`\\bfn\\s+${fn}\\s*\\(`).test(wgsl)))
      throw new RnnError("option", where, `wgsl of "${name}" must have fn ${fn}(…)`);
  }
  // A number behind the name tells the cell from others of the same name, and from the package's own.
  const label = `${name}#${++count}`;
  // They are bound, so that nobody can replace them after the check.
  const [forward, backward] = [cell.forward.bind(given), cell.backward.bind(given)];
  const stateOf = cell.stateOf?.bind(given);
  const arithmetic: CellArithmetic<Memory> = {
    stateOf,
    forward: (...values) => forward(...(values.slice(0, 4) as Parameters<typeof forward>)),
    backward(...values) {
      const d = backward(...(values.slice(0, 7) as Parameters<typeof backward>));
      return d && { dRecurrent: d.dGates, ...d };
    },
  };
  const made: Cell = {
    name: label,
    shader: label,
    gateNames,
    states,
    usesC,
    splitsRecurrentGradient,
    recurrence,
    isLinear,
    hasStateOf: stateOf !== undefined,
    own: { arithmetic, wgsl: wgsl === undefined ? undefined : `${adapters(states.length, stateOf !== undefined)}\n${wgsl}` },
  };
  const readsH = reading("option", where, `what "${name}" computes`, () => {
    checkDerivative(made, arithmetic, name);
    return checkStates(made, arithmetic, name);
  });
  defined.set(given, { cell: made, readsH });
  return given;
}

/** @throws RnnError `option` unless they are `least` to `most` different words */
function takeNames(where: string, option: string, cell: string, given: unknown, [least, most]: readonly [number, number]): string[] {
  const many = ["no", "one", "two", "three", "four"];
  const refuse = (): never => {
    throw new RnnError(
      "option",
      where,
      `${option} of "${cell}" must be ${many[least]} to ${many[most]} different words, got ${show(given)}`,
    );
  };
  const names = takeItems("option", where, option, "a list of words", given, (name, i) =>
    typeof name === "string" && i < most && /^[a-z]\w*$/i.test(name) ? name : refuse(),
  );
  return names.length >= least && new Set(names).size === names.length ? names : refuse();
}

/** The functions that strategies call, by the names that the package's cells use. */
const adapters = (
  states: number,
  hasStateOf: boolean,
): string => `fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: Memory, perUnit: Gates) -> CellForward { return forward(x, r, hPrevious, cPrevious); }
fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: Memory, c: Memory, dh: f32, dc: Memory, perUnit: Gates) -> CellBackward { return backward(gates, hPrevious, h, cPrevious, c, dh, dc); }${
  states > 1 || hasStateOf
    ? ""
    : `
// For zoneout, which the cell does not take, and norms of the memory, which users' cells do not have.
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2<f32>(); }`
}`;

/** Options that act on a recurrent matrix. */
const ofMatrix: readonly string[] = ["recurrentInit", "projSize", ...regularizationNames];

/**
 * A recurrent layer of a user's cell: `new CustomRNN(defineCell({ … }), inputSize, hiddenSize, options)`. Weights and states
 * have the names and shapes of the other layers; rows [G·H, ·] are in the order of the cell's gateNames.
 * projSize P, below hiddenSize, is that of `LSTM`, for cells whose `forward` does not read hPrevious:
 * h_t = W_hr·(the cell's h), `weight_hr_l{k}` [P, H].
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class CustomRNN extends RecurrentLayer {
  private readonly definition: CustomCell<Memory>;

  constructor(cell: CustomCell<Memory>, inputSize: number, hiddenSize: number, given: RecurrentLayerOptions & { projSize?: number } = {}) {
    const options = takeLayerOptions("CustomRNN", given, [...commonOptions, "projSize"]);
    const definition = defined.get(cell);
    if (!definition) throw new RnnError("option", "CustomRNN", `cell must be what defineCell gave, got ${show(cell)}`);
    const { cell: made, readsH } = definition;
    const hasMatrix = made.recurrence !== "none";
    const idle = ofMatrix.find((name) => (options as Record<string, unknown>)[name] !== undefined);
    if (!hasMatrix && idle !== undefined)
      throw new RnnError("option", "CustomRNN", `${idle} acts on the recurrent matrix, and the cell has recurrence: "none"; leave it out`);
    checkInteger("CustomRNN", "hiddenSize", hiddenSize, 1);
    const projSize = checkInteger("CustomRNN", "projSize", options.projSize ?? 0, 0);
    if (projSize >= hiddenSize)
      throw new RnnError("option", "CustomRNN", `projSize must be below hiddenSize, ${hiddenSize}, got ${projSize}`);
    if (projSize > 0 && readsH)
      throw new RnnError(
        "option",
        "CustomRNN",
        "projSize needs a cell whose forward does not read hPrevious: a projected h has fewer numbers than there are units",
      );
    const bias = hasMatrix ? options.bias : takeBias("CustomRNN", options.bias ?? true) && "input";
    super("CustomRNN", inputSize, hiddenSize, [made], { ...options, bias }, { projSize, given: options });
    this.definition = cell;
  }

  override describe(): readonly unknown[] {
    return [this.definition, ...super.describe()];
  }
}
