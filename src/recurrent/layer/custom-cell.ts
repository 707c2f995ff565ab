/** Recurrent cells of one's own. */
import { checkBoolean, checkFunction, reading, RnnError, show } from "../../errors.ts";
import { takeItems, takeOptions } from "../../options.ts";
import type { CellArithmetic, CellBackward, CellForward, Gates } from "../cells/arithmetic.ts";
import type { Cell } from "../cells/cell.ts";
import { commonOptions, RecurrentLayer, type RecurrentLayerOptions } from "./recurrent-layer.ts";

/** The arithmetic of one unit in one step, with its derivative, twice: in TypeScript and in WGSL. */
export interface CustomCell {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string;
  /** One to four, in the order of the rows of the weights; also the members of WGSL's `Gates`. */
  readonly gateNames: readonly string[];
  /** Whether c is a state that goes from step to step (default false). */
  readonly hasMemory?: boolean;
  /** Whether `forward` gives a c that `backward` wants (default hasMemory). */
  readonly usesC?: boolean;
  /** Whether dRecurrent may differ from dGates (default false). */
  readonly splitsRecurrentGradient?: boolean;
  /**
   * `fn forward(x: Gates, recurrent: Gates, hPrevious: f32, cPrevious: f32) -> CellForward` and
   * `fn backward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32) -> CellBackward`, with
   * `struct CellForward { gates: Gates, h: f32, c: f32 }` and
   * `struct CellBackward { dGates: Gates, dRecurrent: Gates, dhPrevious: f32, dcPrevious: f32 }`. There are `sigmoid`,
   * `safeTanh` and `safeExp`, which do not overflow.
   */
  readonly wgsl: string;
  /** @param x W·x_t + b_ih; @param recurrent U·h_{t-1} + b_hh; a number for each gate */
  forward(x: Gates, recurrent: Gates, hPrevious: number, cPrevious: number): CellForward;
  /** From what `forward` gave, ∂L/∂h and ∂L/∂c: the gradients of what `forward` was given. */
  backward(gates: Gates, hPrevious: number, h: number, cPrevious: number, c: number, dh: number, dc: number): CellBackward;
}

/** Cells by their definition, so that the layers of one share pipelines. */
const defined = new WeakMap<CustomCell, Cell>();
let count = 0;

/**
 * Checks a cell of one's own, its derivative too, for use in `CustomRNN`. That WGSL and TypeScript agree is what `verify` checks.
 * @throws RnnError `option` if something is missing, or if `backward` is not the derivative of `forward`
 */
export function defineCell(given: CustomCell): CustomCell {
  const where = "defineCell";
  const cell = takeOptions(
    where,
    given,
    ["name", "gateNames", "hasMemory", "usesC", "splitsRecurrentGradient", "wgsl", "forward", "backward"],
    { needed: true },
  );
  const { name, wgsl } = cell;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]*$/.test(name))
    throw new RnnError("option", where, `name must be of lower-case letters, digits and hyphens, got ${show(name)}`);
  const gateNames = takeGateNames(where, name, cell.gateNames);
  const hasMemory = checkBoolean(where, "hasMemory", cell.hasMemory ?? false);
  const usesC = checkBoolean(where, "usesC", cell.usesC ?? hasMemory);
  const splitsRecurrentGradient = checkBoolean(where, "splitsRecurrentGradient", cell.splitsRecurrentGradient ?? false);
  if (hasMemory && !usesC) throw new RnnError("option", where, `"${name}" has a memory, which is c; usesC must not be false`);
  for (const fn of ["forward", "backward"] as const) {
    checkFunction(where, fn, (cell as unknown as Record<string, unknown>)[fn]);
    if (typeof wgsl !== "string" || !new RegExp(`\\bfn\\s+${fn}\\s*\\(`).test(wgsl))
      throw new RnnError("option", where, `wgsl of "${name}" must have fn ${fn}(…)`);
  }
  // A number behind the name tells cells of the same name apart, and from the package's own.
  const label = `${name}#${++count}`;
  // Bound, so that what has been checked cannot be replaced later.
  const arithmetic: CellArithmetic = { forward: cell.forward.bind(given), backward: cell.backward.bind(given) };
  const made: Cell = {
    name: label,
    shader: label,
    gateNames,
    hasMemory,
    usesC,
    splitsRecurrentGradient,
    own: { wgsl: `${adapters}\n${wgsl}`, arithmetic },
  };
  reading("option", where, `what "${name}" computes`, () => checkDerivative(made, arithmetic, name));
  defined.set(given, made);
  return given;
}

/** @throws RnnError `option` unless they are one to four different words */
function takeGateNames(where: string, name: string, given: unknown): string[] {
  const refuse = (): never => {
    throw new RnnError("option", where, `gateNames of "${name}" must be one to four different words, got ${show(given)}`);
  };
  const names = takeItems("option", where, "gateNames", "a list of words", given, (gate, i) =>
    typeof gate === "string" && i < 4 && /^[a-z]\w*$/i.test(gate) ? gate : refuse(),
  );
  return names.length >= 1 && new Set(names).size === names.length ? names : refuse();
}

/** What the strategies call, by the names that they have in the package's cells. */
const adapters = `fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, perUnit: Gates) -> CellForward { return forward(x, r, hPrevious, cPrevious); }
fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, perUnit: Gates) -> CellBackward { return backward(gates, hPrevious, h, cPrevious, c, dh, dc); }
// For zoneout and norms of the memory, which cells of one's own do not have.
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2<f32>(); }`;

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
function checkDerivative(cell: Cell, arithmetic: CellArithmetic, name: string): void {
  const {
    gateNames: { length: G },
    hasMemory,
    usesC,
    splitsRecurrentGradient,
  } = cell;
  const zeros = new Array<number>(G).fill(0);
  for (const point of [0.3, -0.8, 1.1]) {
    // x, r, h_{t-1}, c_{t-1} in one list.
    const at = Array.from({ length: 2 * G + 2 }, (_, i) => Math.sin(point * (3 * i + 2)));
    if (!hasMemory) at[2 * G + 1] = 0;
    const run = (v: number[]): CellForward => arithmetic.forward(v.slice(0, G), v.slice(G, 2 * G), v[2 * G], v[2 * G + 1], zeros);
    const [dh, dc] = [0.7, hasMemory ? -0.4 : 0];
    const loss = (v: number[]): number => dh * run(v).h + dc * run(v).c;
    const out = run(at);
    checkResult(name, "forward", G, out, ["gates"], ["h", ...(usesC ? ["c"] : [])]);
    if (!hasMemory && run([...at.slice(0, -1), 0.5]).h !== out.h)
      throw new RnnError("option", "defineCell", `forward of "${name}" must not read cPrevious, which is no state without hasMemory: true`);
    const d = arithmetic.backward(out.gates, at[2 * G], out.h, at[2 * G + 1], usesC ? out.c : 0, dh, dc, zeros);
    checkResult(name, "backward", G, d, ["dGates", "dRecurrent"], ["dhPrevious", ...(hasMemory ? ["dcPrevious"] : [])]);
    const found = [...d.dGates, ...d.dRecurrent, d.dhPrevious, hasMemory ? d.dcPrevious : 0];
    const what = [
      ...cell.gateNames.map((gate) => `dGates ${gate}`),
      ...cell.gateNames.map((gate) => `dRecurrent ${gate}`),
      "dhPrevious",
      "dcPrevious",
    ];
    for (let i = 0; i < (hasMemory ? at.length : at.length - 1); i++) {
      const [more, less] = [1e-5, -1e-5].map((shift) => loss(at.map((v, k) => (k === i ? v + shift : v))));
      const expected = (more - less) / 2e-5;
      if (!(Math.abs(found[i] - expected) <= 1e-6 + 1e-6 * Math.abs(expected)))
        throw new RnnError(
          "option",
          "defineCell",
          `backward of "${name}" must be the derivative of forward: ${what[i]} must be ${expected.toPrecision(6)}, got ${show(found[i])}`,
        );
    }
    if (!splitsRecurrentGradient && d.dRecurrent.some((v, i) => v !== d.dGates[i]))
      throw new RnnError(
        "option",
        "defineCell",
        `"${name}" has a dRecurrent that differs from dGates, and needs splitsRecurrentGradient: true`,
      );
  }
}

/**
 * A recurrent layer of a cell of one's own: `new CustomRNN(defineCell({ … }), inputSize, hiddenSize, options)`. Weights
 * have the names and shapes of the other layers, [G·H, ·] in the order of the cell's gateNames; so have the states.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class CustomRNN extends RecurrentLayer {
  constructor(cell: CustomCell, inputSize: number, hiddenSize: number, given: RecurrentLayerOptions = {}) {
    const options = takeOptions("CustomRNN", given, commonOptions);
    const made = defined.get(cell);
    if (!made) throw new RnnError("option", "CustomRNN", `cell must be what defineCell gave, got ${show(cell)}`);
    super("CustomRNN", inputSize, hiddenSize, made, options);
  }
}
