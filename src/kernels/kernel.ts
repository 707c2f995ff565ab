/**
 * The contract of a compute kernel. Each kernel is three things with the same names: this contract, one WGSL file in
 * `shaders/` (its stem is the contract's `name`), and the twin (twin.ts), a plain function that specifies the result.
 * `test/contract` compares the WGSL with the contract, `test/device` the results with the twin.
 */
import { RnnError } from "../errors.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { RecurrentParts } from "../recurrent/kernels/recurrent-kernel.ts";

export type ElementType = "f32" | "u32" | "i32";

/** One buffer of a kernel. The order of a contract's bindings is the order of `@binding(i)` in `@group(0)`. */
export interface Binding {
  /**
   * "uniform" is for a few numbers to read. It does not count among the eight storage buffers that every device has.
   */
  readonly access: "read" | "read_write" | "uniform";
  readonly type: ElementType;
  /** For people: the shape in letters, e.g. "[T+1, B, H]". */
  readonly shape: string;
}

export type Bindings = Readonly<Record<string, Binding>>;
/** Scalars of the `params` uniform block, in the order of the WGSL struct. */
export type ParamTypes = Readonly<Record<string, ElementType>>;
export type Params<P extends ParamTypes> = { readonly [K in keyof P]: number };
export type Arrays<B extends Bindings> = { readonly [K in keyof B]: NumericArray };
export type Workgroups = readonly [x: number, y: number, z: number];

export interface Kernel<B extends Bindings = Bindings, P extends ParamTypes = ParamTypes> {
  /** Unique; the stem of the WGSL file, with the cell behind a colon where a strategy is joined to one. */
  readonly name: string;
  /** Set if the kernel joins a strategy and a cell. */
  readonly recurrent?: RecurrentParts;
  /**
   * WGSL files, relative to `shaders/` and without extension, concatenated in this order. The last is the kernel's own.
   * What a cell has in no file is named among them (`cellText`).
   */
  readonly sources: readonly string[];
  /** Values of `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
  readonly bindings: B;
  readonly params: P;
  /** Number of workgroups for these params. */
  workgroups(params: Params<P>): Workgroups;
}

/** Declares a kernel, so that the names in bindings and params type the arguments of its twin and of a dispatch. */
export function defineKernel<const B extends Bindings, const P extends ParamTypes>(
  kernel: Omit<Kernel<B, P>, "sources"> & { sources?: readonly string[] },
): Kernel<B, P> {
  return { ...kernel, sources: kernel.sources ?? [kernel.name] };
}

/** Elements to which bound views are aligned: 256 bytes, WebGPU's default offset alignment. */
export const alignment = 64;
export const align = (length: number): number => Math.ceil(length / alignment) * alignment;

/** Number of words for one group of `width` numbers in half precision (see half-storage.ts). */
export const halfWords = (width: number): number => Math.ceil(width / 2);

/** Threads of a workgroup in the element-wise kernels (`@workgroup_size(64)`). */
export const elementGroup = 64;

/** Workgroups per dimension that every WebGPU device allows. */
const mostGroups = 65535;

/**
 * Workgroups for one thread per element. Beyond 65535 groups the rest goes to y; `linearIndex` in shaders/lib computes
 * the element.
 */
export function elementGroups(elements: number, perGroup = elementGroup): Workgroups {
  const groups = Math.max(1, Math.ceil(elements / perGroup));
  const y = Math.ceil(groups / mostGroups);
  if (y > mostGroups)
    throw new RnnError("limit", "kernel", `${elements} elements exceed what one dispatch can cover; use a smaller batch or fewer steps`);
  return [Math.ceil(groups / y), y, 1];
}

/** One workgroup per row, spread over x and y in the same way; `groupIndex` in shaders/lib computes the row. */
export const rowGroups = (rows: number): Workgroups => elementGroups(rows, 1);

/**
 * Number of threads that share a row of this length in kernels that reduce rows (`rowShare` in shaders/lib/rows.wgsl).
 */
const rowShare = (columns: number): number => (columns > 256 ? 64 : 8);

/** Workgroups of 64 threads for kernels that reduce rows; short rows share a workgroup. */
export const sharedRowGroups = ({ rows, columns }: { rows: number; columns: number }): Workgroups =>
  elementGroups(rows, 64 / rowShare(columns));
