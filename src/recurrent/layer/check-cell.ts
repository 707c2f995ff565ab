/** Checks a user's cell by numbers: its derivative, and its description of its states. */
import { RnnError, show } from "../../errors.ts";
import type { CellArithmetic, CellForward } from "../cells/arithmetic.ts";
import type { Cell } from "../cells/cell.ts";
import type { Memory } from "../cells/memory.ts";

/** @throws RnnError `option` unless `result` has these lists, a finite number for each gate, and these finite numbers */
function checkResult(name: string, fn: string, G: number, result: object, lists: readonly string[], numbers: readonly string[]): void {
  const members = (typeof result === "object" && result !== null ? result : {}) as Record<string, unknown>;
  for (const list of lists) {
    const values = members[list] as ArrayLike<unknown> | null | undefined;
    if (typeof values !== "object" || values?.length !== G || !Array.from(values).every(Number.isFinite))
      throw new RnnError(
        "option",
        "defineCell",
        `${fn} of "${name}" must give ${list}, a list of finite numbers, one for each gate (${G}); got ${show(values)}`,
      );
  }
  for (const number of numbers)
    if (!Number.isFinite(members[number]))
      throw new RnnError("option", "defineCell", `${fn} of "${name}" must give ${number}, a finite number, got ${show(members[number])}`);
}

/** Compares backward with difference quotients of forward, at a few points. @throws RnnError `option` if they differ */
export function checkDerivative(cell: Cell, arithmetic: CellArithmetic<Memory>, name: string): void {
  const {
    gateNames: { length: G },
    states,
    usesC,
    splitsRecurrentGradient,
    recurrence,
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
  // One list holds x, r, h_{t-1} and the other states before the step.
  const first = 2 * G + 1;
  const isRecurrent = (i: number): boolean => i >= G && i < 2 * G;
  for (const point of [0.3, -0.8, 1.1]) {
    // A cell may divide by a state. So states are above 0 if there are several.
    const at = Array.from({ length: first + states.length }, (_, i) =>
      isRecurrent(i) && recurrence === "none"
        ? 0
        : several && i >= first
          ? 1 + Math.sin(point * (3 * i + 2)) / 2
          : Math.sin(point * (3 * i + 2)),
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
      if (isRecurrent(i) && recurrence === "none") continue;
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
 * Compares the description of a cell's states with what `forward` does, at a few points.
 * @returns whether h_t depends on h_{t-1} of the unit itself
 */
export function checkStates(
  { gateNames: { length: G }, states, isLinear }: Cell,
  arithmetic: CellArithmetic<Memory>,
  name: string,
): boolean {
  const fail = (what: string): never => {
    throw new RnnError("option", "defineCell", what);
  };
  const near = (a: unknown, b: number): boolean => Math.abs((a as number) - b) <= 1e-9 * (1 + Math.abs(b));
  const zeros = new Array<number>(G).fill(0);
  let readsH = false;
  for (const point of [0.4, -0.9, 1.3]) {
    const x = Array.from({ length: G }, (_, g) => Math.sin(point * (2 * g + 1)));
    const c: Memory =
      states.length > 1 ? Object.fromEntries(states.map((state, s) => [state, 1 + point / (s + 3)])) : states.length * point;
    const from = (h: number): CellForward<Memory> => arithmetic.forward(x, zeros, h, c, zeros);
    const [zero, one, two] = [0, 1, 2].map(from);
    const all = [zero, one, two];
    const kept = all.map(({ gates, h, c: memory }, h0) => arithmetic.backward(gates, h0, h, c, memory, 1, zeroOf(c), zeros).dhPrevious);
    readsH ||= JSON.stringify(zero) !== JSON.stringify(one) || JSON.stringify(zero) !== JSON.stringify(two) || kept.some((v) => v !== 0);
    if (isLinear) {
      const a = one.h - zero.h;
      if (
        !near(two.h, zero.h + 2 * a) ||
        kept.some((v) => Math.abs(v - a) > 1e-6) ||
        all.some(({ gates }) => gates.some((v, g) => v !== zero.gates[g]))
      )
        fail(
          `linearRecurrence of "${name}" needs h_t = a⊙h_{t-1} + b with gates, a and b that do not depend on h_{t-1}, which forward does not give`,
        );
      if (Math.abs(a) > 1 + 1e-9)
        fail(`linearRecurrence of "${name}" needs |a| of at most 1 in h_t = a⊙h_{t-1} + b, got ${a.toPrecision(3)}`);
    }
    all.forEach(({ gates, h, c: after }, h0) => {
      const found = arithmetic.stateOf?.(gates, h0, c as number);
      if (found && !(near(found.h, h) && (states.length === 0 || near(found.c, after as number))))
        fail(`stateOf of "${name}" must give the h${states.length === 0 ? "" : " and c"} of forward, from its gates and the state before`);
    });
  }
  return readsH;
}

const zeroOf = (memory: Memory): Memory =>
  typeof memory === "number" ? 0 : Object.fromEntries(Object.keys(memory).map((key) => [key, 0]));
