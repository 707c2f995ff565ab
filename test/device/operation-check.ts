/** Checks operations: values against plain loops on both backends, derivatives against finite differences in float64. */
import { describe, expect, it } from "vitest";
import { forward, gradients, Module, normal, Parameter, type Context, type Tensor, type Variable } from "webgpu-rnn";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";

export type Operation = (context: Context, x: Variable, p: Variable) => Variable;

/** An operation on the input x and one parameter p. */
export class Operated extends Module {
  constructor(
    shape: readonly number[],
    private readonly operation: Operation,
  ) {
    super();
    this.addParameter("p", new Parameter(shape, normal()));
    this.initialize(3);
  }

  forward(context: Context, x: Variable): Variable {
    return this.operation(context, x, context.parameter("p"));
  }
}

export interface Case {
  readonly x: readonly number[];
  readonly p: readonly number[];
  readonly operation: Operation;
  readonly lengths?: readonly number[];
  /** Of x, where those that every operation gets would not do. */
  readonly values?: readonly number[];
  /** Shape of the result, and its element at `index` in terms of elements of x and p. */
  readonly shape: readonly number[];
  readonly expected: (index: readonly number[], x: (...index: number[]) => number, p: (...index: number[]) => number) => number;
}

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
export const total = (n: number, term: (i: number) => number): number => range(n).reduce((sum, i) => sum + term(i), 0);
const reader =
  ({ shape, data }: Tensor) =>
  (...index: number[]): number =>
    data[index.reduce((at, i, axis) => at * shape[axis] + i, 0)];
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const indices = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>((all, n) => all.flatMap((index) => range(n).map((i) => [...index, i])), [[]]);
const inputOf = ({ x, lengths, values }: Case) => ({
  input: { shape: x, data: values ? Float32Array.from(values) : numbers(sizeOf(x), 5) },
  ...(lengths ? { lengths } : {}),
});

/** Declares the tests of operations, each by what it does. */
export function describeOperations(cases: Readonly<Record<string, Case>>): void {
  describe.each(Object.entries(cases))("an operation %s", (_, c) => {
    it.each(kinds)("as plain loops do, on %s", async (kind) => {
      const model = new Operated(c.p, c.operation);
      const inputs = inputOf(c);
      const [x, p] = [reader(inputs.input), reader((await model.stateDict()).p)];
      const { output } = await forward(model, inputs, { backend: await backend(kind) });
      expect(output.shape).toEqual(c.shape);
      expectClose(
        "output",
        output.data,
        indices(c.shape).map((index) => c.expected(index, x, p)),
      );
    });

    it("with the gradients of finite differences", async () => {
      const inputs = inputOf(c);
      await checkGradients(new Operated(c.p, c.operation), {
        ...inputs,
        input: { ...inputs.input, data: Float64Array.from(inputs.input.data) },
      });
    });

    it("with the same gradients on WebGPU as on the CPU", async () => {
      const model = new Operated(c.p, c.operation);
      const cotangent = { shape: c.shape, data: numbers(sizeOf(c.shape), 9) };
      const [gpu, cpu] = await Promise.all(
        [backend("webgpu"), backend("cpu", "float64")].map(
          async (on) => (await gradients(model, inputOf(c), { output: cotangent }, { backend: await on })).gradients,
        ),
      );
      expectClose("d.x", gpu.input!.data, cpu.input!.data);
      expectClose("d.p", gpu.parameters.p.data, cpu.parameters.p.data);
    });
  });
}
