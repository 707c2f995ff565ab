/** Initial values of parameters. All draw from the counter-based generator, so a seed repeats them. */
import { checkInteger, checkNumber, checkSize, RnnError } from "../errors.ts";
import { randomUniforms } from "../kernels/philox.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";

/** Uniform numbers in [0, 1). */
export type Draw = (count: number) => Float64Array;
/** Makes the initial values of a parameter of this shape. */
export type Initializer = (shape: Shape, draw: Draw) => Float32Array;

/** The stream of numbers of parameter `stream` under `seed`. */
export function drawFrom(seed: number, stream: number): Draw {
  return (count) => randomUniforms(seed, stream, count);
}

/** U(-bound, bound). */
export const uniform = (bound: number): Initializer => {
  checkNumber("uniform", "bound", bound, { least: 0 });
  return (shape, draw) => Float32Array.from(draw(sizeOf(shape)), (u) => (2 * u - 1) * bound);
};

/** N(0, deviation²), by Box and Muller (1958). */
export const normal = (deviation = 1): Initializer => {
  checkNumber("normal", "deviation", deviation, { least: 0 });
  return (shape, draw) => {
    const count = sizeOf(shape);
    const u = draw(2 * count);
    // 1 - u is in (0, 1], where the logarithm is finite.
    return Float32Array.from(
      { length: count },
      (_, i) => deviation * Math.sqrt(-2 * Math.log(1 - u[2 * i])) * Math.cos(2 * Math.PI * u[2 * i + 1]),
    );
  };
};

/**
 * Each of the `gates` blocks of a [gates·H, P] weight is a random orthogonal matrix (Saxe et al. 2014), of orthonormal
 * columns if it has more rows than columns: Gram-Schmidt, twice for accuracy, on rows (or columns) of normal numbers.
 */
export const orthogonal = (gates: number): Initializer => {
  checkInteger("orthogonal", "gates", gates, 1);
  return (shape, draw) => orthogonalBlocks(gates, shape, draw);
};

/** Most rows and columns of an orthogonal block. The work grows with their cube, and this size takes minutes. */
const mostOrthogonal = 2048;

function orthogonalBlocks(gates: number, shape: Shape, draw: Draw): Float32Array {
  const [H, P] = [shape[0] / gates, shape[1]];
  if (!Number.isInteger(H) || shape.length !== 2)
    throw new RnnError("shape", "orthogonal", `needs [${gates} x rows, columns], got [${shape.join(", ")}]`);
  checkSize("orthogonal", "the smaller side of a block", Math.min(H, P), 1, mostOrthogonal);
  const result = normal()(shape, draw);
  const [count, length, between, within] = H > P ? [P, H, 1, P] : [H, P, P, 1];
  for (let block = 0; block < gates; block++) {
    const at = (vector: number, i: number): number => block * H * P + vector * between + i * within;
    const dot = (one: number, other: number): number => {
      let sum = 0;
      for (let i = 0; i < length; i++) sum += result[at(one, i)] * result[at(other, i)];
      return sum;
    };
    for (let v = 0; v < count; v++) {
      for (let pass = 0; pass < 2; pass++) {
        for (let other = 0; other < v; other++) {
          const along = dot(v, other);
          for (let i = 0; i < length; i++) result[at(v, i)] -= along * result[at(other, i)];
        }
      }
      const norm = Math.sqrt(dot(v, v));
      for (let i = 0; i < length; i++) result[at(v, i)] /= norm;
    }
  }
  return result;
}

/** Fills a parameter with one number. */
export const constant =
  (value: number): Initializer =>
  (shape) =>
    new Float32Array(sizeOf(shape)).fill(value);

/** Another initializer, with rows [first, last) set to `value`. */
export const withRows =
  (base: Initializer, first: number, last: number, value: number): Initializer =>
  (shape, draw) =>
    base(shape, draw).fill(value, (first * sizeOf(shape)) / shape[0], (last * sizeOf(shape)) / shape[0]);

export const zeros: Initializer = (shape) => new Float32Array(sizeOf(shape));

/** Each of the `gates` blocks of a [gates·H, P] weight is the identity (Le et al. 2015), cut off if P is not H. */
export const identity =
  (gates: number): Initializer =>
  ([rows, P]) =>
    Float32Array.from({ length: rows * P }, (_, i) => (Math.floor(i / P) % (rows / gates) === i % P ? 1 : 0));

/** Uniform or normal numbers of variance 2 / (I + H) for each block of a [gates·H, I] weight (Glorot & Bengio 2010). */
export const glorot =
  (kind: "uniform" | "normal", gates: number): Initializer =>
  (shape, draw) => {
    const variance = 2 / (shape[1] + shape[0] / gates);
    return (kind === "uniform" ? uniform(Math.sqrt(3 * variance)) : normal(Math.sqrt(variance)))(shape, draw);
  };
