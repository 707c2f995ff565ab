/** Recurrent cells that users define. */
import { checkBoolean, checkFunction, reading, RnnError, show } from "../../errors.ts";
import { takeItems, takeOptions } from "../../options.ts";
import type { CellArithmetic, CellBackward, CellForward, Gates } from "../cells/arithmetic.ts";
import type { Cell } from "../cells/cell.ts";
import type { Memory } from "../cells/memory.ts";
import { commonOptions, RecurrentLayer, type RecurrentLayerOptions } from "./recurrent-layer.ts";

/** The arithmetic of one unit in one step, with its derivative, twice: in TypeScript and in WGSL. */
export interface CustomCell<M = number> {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string;
  /** One to four, in the order of the rows of the weights; also the members of WGSL's `Gates`. */
  readonly gateNames: readonly string[];
  /**
   * Names of the states besides h that go from step to step (default none). One state is the number c. Several are an
   * object by their names in the place of c, in WGSL a struct `Memory` that takes the place of its f32.
   */
  readonly states?: readonly string[];
  /** Whether `forward` gives a c that `backward` wants (default: whether there are states). */
  readonly usesC?: boolean;
  /** Whether dRecurrent may differ from dGates (default false); if not, `backward` may leave it out. */
  readonly splitsRecurrentGradient?: boolean;
  /**
   * `fn forward(x: Gates, recurrent: Gates, hPrevious: f32, cPrevious: f32) -> CellForward` and
   * `fn backward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32) -> CellBackward`, with
   * `struct CellForward { gates: Gates, h: f32, c: f32 }` and
   * `struct CellBackward { dGates: Gates, dRecurrent: Gates, dhPrevious: f32, dcPrevious: f32 }`. There are `sigmoid`,
   * `safeTanh` and `safeExp`, which do not overflow. A cell without WGSL runs on the CPU backend only.
   */
  readonly wgsl?: string;
  /** @param x W·x_t + b_ih; @param recurrent U·h_{t-1} + b_hh; a number for each gate */
  forward(x: Gates, recurrent: Gates, hPrevious: number, cPrevious: M): CellForward<M>;
  /** From what `forward` gave, ∂L/∂h and ∂L/∂c: the gradients of what `forward` was given. */
  backward(
    gates: Gates,
    hPrevious: number,
    h: number,
    cPrevious: M,
    c: M,
    dh: number,
    dc: M,
  ): Omit<CellBackward<M>, "dRecurrent"> & { readonly dRecurrent?: Gates };
}

/** Cells by their definition, so that the layers of one share pipelines. */
const defined = new WeakMap<object, Cell>();
let count = 0;

/**
 * Checks a user's cell, its derivative too, for use in `CustomRNN`. `verify` checks that its WGSL and its TypeScript agree.
 * @throws RnnError `option` if something is missing, or if `backward` is not the derivative of `forward`
 */
export function defineCell<M = number>(given: CustomCell<M>): CustomCell<M> {
  const where = "defineCell";
  const cell = takeOptions(
    where,
    given,
    ["name", "gateNames", "states", "usesC", "splitsRecurrentGradient", "wgsl", "forward", "backward"],
    { needed: true },
  ) as unknown as CustomCell<Memory>;
  const { name, wgsl } = cell;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]*$/.test(name))
    throw new RnnError("option", where, `name must be of lower-case letters, digits and hyphens, got ${show(name)}`);
  const gateNames = takeNames(where, "gateNames", name, cell.gateNames, [1, 4]);
  const states = cell.states === undefined ? [] : takeNames(where, "states", name, cell.states, [0, 3]);
  const usesC = checkBoolean(where, "usesC", cell.usesC ?? states.length > 0);
  const splitsRecurrentGradient = checkBoolean(where, "splitsRecurrentGradient", cell.splitsRecurrentGradient ?? false);
  if (states.includes("h")) throw new RnnError("option", where, `states of "${name}" must be those besides h, which every cell has`);
  if (states.length > 0 && !usesC) throw new RnnError("option", where, `"${name}" has states, which are in c; usesC must not be false`);
  for (const fn of ["forward", "backward"] as const) {
    checkFunction(where, fn, (cell as unknown as Record<string, unknown>)[fn]);
    if (wgsl !== undefined && (typeof wgsl !== "string" || !new RegExp(`\\bfn\\s+${fn}\\s*\\(`).test(wgsl)))
      throw new RnnError("option", where, `wgsl of "${name}" must have fn ${fn}(…)`);
  }
  // A number behind the name tells cells of the same name apart, and from the package's own.
  const label = `${name}#${++count}`;
  // Bound, so that what has been checked cannot be replaced later.
  const [forward, backward] = [cell.forward.bind(given), cell.backward.bind(given)];
  const arithmetic: CellArithmetic<Memory> = {
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
    own: { arithmetic, wgsl: wgsl === undefined ? undefined : `${adapters(states.length)}\n${wgsl}` },
  };
  reading("option", where, `what "${name}" computes`, () => checkDerivative(made, arithmetic, name));
  defined.set(given, made);
  return given;
}

/** @throws RnnError `option` unless they are so many different words */
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

/** What the strategies call, by the names that they have in the package's cells. */
const adapters = (
  states: number,
): string => `fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: Memory, perUnit: Gates) -> CellForward { return forward(x, r, hPrevious, cPrevious); }
fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: Memory, c: Memory, dh: f32, dc: Memory, perUnit: Gates) -> CellBackward { return backward(gates, hPrevious, h, cPrevious, c, dh, dc); }${
  states > 1
    ? ""
    : `
// For zoneout and norms of the memory, which users' cells do not have.
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2<f32>(); }`
}`;

/** @throws RnnError `option` unless `result` has these members, lists of a finite number for each gate, and these finite numbers */
function checkResult(name: string, fn: string, G: number, result: object, lists: readonly string[], numbers: readonly string[]): void {
  const members = (typeof result === "object" && result !== null ? result : {}) as Record<string, unknown>;
  for (const list of lists) {
    const values = members[list] as ArrayLike<unknown> | null | undefined;
    if (typeof values !== "object" || values?.length !== G || !Array.from(values).every(Number.isFinite))
      throw new RnnError(
        "option",
        "defineCell",
        `${fn} of "${name}" must give ${list}, ${G} finite numbers, as it has names of gates; got ${show(values)}`,
      );
  }
  for (const number of numbers)
    if (!Number.isFinite(members[number]))
      throw new RnnError("option", "defineCell", `${fn} of "${name}" must give ${number}, a finite number, got ${show(members[number])}`);
}

/** Holds backward to difference quotients of forward, at a few points. */
function checkDerivative(cell: Cell, arithmetic: CellArithmetic<Memory>, name: string): void {
  const {
    gateNames: { length: G },
    states,
    usesC,
    splitsRecurrentGradient,
  } = cell;
  const fail = (what: string): never => {
    throw new RnnError("option", "defineCell", what);
  };
  const zeros = new Array<number>(G).fill(0);
  const several = states.length > 1;
  const memory = (numbers: readonly number[]): Memory =>
    several ? Object.fromEntries(states.map((state, s) => [state, numbers[s]])) : (numbers[0] ?? 0);
  const numbersOf = (of: Memory): number[] => (several ? states.map((state) => (of as Record<string, number>)[state]) : [of as number]);
  const checkMemory = (fn: string, what: string, of: unknown): void => {
    if (several) checkResult(name, `${what} of ${fn}`, 0, of as object, [], states);
  };
  // x, r, h_{t-1} and the other states of before in one list.
  const first = 2 * G + 1;
  for (const point of [0.3, -0.8, 1.1]) {
    // States may be what a cell divides by: they are above 0 where there are several.
    const at = Array.from({ length: first + states.length }, (_, i) =>
      several && i >= first ? 1 + Math.sin(point * (3 * i + 2)) / 2 : Math.sin(point * (3 * i + 2)),
    );
    const run = (v: readonly number[], c = memory(v.slice(first))): CellForward<Memory> =>
      arithmetic.forward(v.slice(0, G), v.slice(G, 2 * G), v[2 * G], c, zeros);
    const dh = 0.7;
    const dMemory = states.map((_, s) => -0.4 + 0.9 * s);
    const loss = (v: readonly number[]): number => {
      const { h, c } = run(v);
      return dh * h + (states.length > 0 ? numbersOf(c).reduce((sum, n, s) => sum + dMemory[s] * n, 0) : 0);
    };
    const out = run(at);
    checkResult(name, "forward", G, out, ["gates"], ["h", ...(usesC && !several ? ["c"] : [])]);
    checkMemory("forward", "c", out.c);
    if (states.length === 0 && run(at, 0.5).h !== out.h)
      fail(`forward of "${name}" must not read cPrevious, which is no state; name it in states`);
    const d = arithmetic.backward(out.gates, at[2 * G], out.h, memory(at.slice(first)), usesC ? out.c : 0, dh, memory(dMemory), zeros);
    checkResult(name, "backward", G, d, ["dGates", "dRecurrent"], ["dhPrevious", ...(states.length === 1 ? ["dcPrevious"] : [])]);
    checkMemory("backward", "dcPrevious", d.dcPrevious);
    const found = [...d.dGates, ...d.dRecurrent, d.dhPrevious, ...(states.length > 0 ? numbersOf(d.dcPrevious) : [])];
    const what = [
      ...cell.gateNames.map((gate) => `dGates ${gate}`),
      ...cell.gateNames.map((gate) => `dRecurrent ${gate}`),
      "dhPrevious",
      ...(several ? states.map((state) => `dcPrevious ${state}`) : ["dcPrevious"]),
    ];
    for (let i = 0; i < at.length; i++) {
      const [more, less] = [1e-5, -1e-5].map((shift) => loss(at.map((v, k) => (k === i ? v + shift : v))));
      const expected = (more - less) / 2e-5;
      if (!(Math.abs(found[i] - expected) <= 1e-6 + 1e-6 * Math.abs(expected)))
        fail(
          `backward of "${name}" must be the derivative of forward: ${what[i]} must be ${expected.toPrecision(6)}, got ${show(found[i])}`,
        );
    }
    if (!splitsRecurrentGradient && d.dRecurrent.some((v, i) => v !== d.dGates[i]))
      fail(`"${name}" has a dRecurrent that differs from dGates, and needs splitsRecurrentGradient: true`);
  }
}

/**
 * A recurrent layer of a user's cell: `new CustomRNN(defineCell({ … }), inputSize, hiddenSize, options)`. Weights
 * have the names and shapes of the other layers, [G·H, ·] in the order of the cell's gateNames; so have the states.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class CustomRNN extends RecurrentLayer {
  constructor(cell: CustomCell<Memory>, inputSize: number, hiddenSize: number, given: RecurrentLayerOptions = {}) {
    const options = takeOptions("CustomRNN", given, commonOptions);
    const made = defined.get(cell);
    if (!made) throw new RnnError("option", "CustomRNN", `cell must be what defineCell gave, got ${show(cell)}`);
    super("CustomRNN", inputSize, hiddenSize, made, options);
  }
}
