/** Shared by the device tests: the backends under test, and a comparison whose message says where numbers differ. */
import { expect } from "vitest";
import { createBackend, type Backend, type BackendOptions, type Tensor, type CustomCell } from "webgpu-rnn";

const made = new Map<string, Promise<Backend>>();

/**
 * One backend of a kind for all files that run in this process or page, and end with it: a software adapter takes seconds
 * to compile a time loop, and a device compiles each but once.
 */
export function backend(kind: "cpu" | "webgpu", precision: "float32" | "float64" = "float32"): Promise<Backend> {
  const key = `${kind} ${precision}`;
  let found = made.get(key);
  if (!found) made.set(key, (found = createBackend(kind, { precision })));
  return found;
}

/** The device of a backend on WebGPU. */
export const deviceOf = (on: Backend): GPUDevice => (on as unknown as { device: GPUDevice }).device;

/** A backend for one test. On WebGPU it is lent the device of all tests, for which most of its kernels are compiled. */
export const ownBackend = async (kind: "cpu" | "webgpu", options: BackendOptions = {}): Promise<Backend> =>
  createBackend(kind, kind === "webgpu" ? { ...options, device: deviceOf(await backend(kind)) } : options);

export const kinds = ["cpu", "webgpu"] as const;

/** Elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Whether the tests run in a page. */
export const inPage = typeof document !== "undefined";

interface Tolerance {
  atol: number;
  rtol: number;
}

/** The tolerance for float32: 1e-5 + 1e-4 relative. */
export const float32: Tolerance = { atol: 1e-5, rtol: 1e-4 };

/** Fails unless |a - b| <= atol + rtol·|b| everywhere, naming the worst index. */
export function expectClose(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { atol, rtol }: Tolerance = float32,
): void {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  let worst = -1;
  let excess = 0;
  for (let i = 0; i < expected.length; i++) {
    // Two equal infinities have no difference.
    if (actual[i] === expected[i]) continue;
    const over = Math.abs(actual[i] - expected[i]) / (atol + rtol * Math.abs(expected[i]));
    if (!(over <= 1) && !(over <= excess)) {
      excess = over;
      worst = i;
    }
  }
  if (worst >= 0)
    expect.fail(`${what}[${worst}] is ${actual[worst]}, expected ${expected[worst]} (${excess.toFixed(1)} times the tolerance)`);
}

/** A fixture's { shape, dtype, data } as a tensor; float32 values are printed with 9 digits and rounded back here. */
export function fixture(value: { shape: number[]; dtype?: string; data: number[] }): Tensor {
  return { shape: value.shape, data: value.dtype === "float32" ? Float32Array.from(value.data) : Float64Array.from(value.data) };
}

/** Float32 numbers in (-scale, scale) that do not repeat, from a seed. */
export function numbers(count: number, seed = 1, scale = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * scale;
  });
}

/** A custom cell. One gate, one word of halves. */
export const leaky: CustomCell = {
  name: "leaky",
  gateNames: ["a"],
  forward: (x, r, hPrevious) => ({ gates: [Math.tanh(x[0] + r[0])], h: 0.5 * hPrevious + 0.5 * Math.tanh(x[0] + r[0]), c: 0 }),
  backward([a], _hPrevious, _h, _cPrevious, _c, dh) {
    const d = [0.5 * dh * (1 - a * a)];
    return { dGates: d, dRecurrent: d, dhPrevious: 0.5 * dh, dcPrevious: 0 };
  },
  wgsl: `
fn forward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32) -> CellForward {
  let a = safeTanh(x.a + r.a);
  return CellForward(Gates(a), 0.5 * hPrevious + 0.5 * a, 0.0);
}
fn backward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32) -> CellBackward {
  let d = Gates(0.5 * dh * (1.0 - gates.a * gates.a));
  return CellBackward(d, d, 0.5 * dh, 0.0);
}`,
};
