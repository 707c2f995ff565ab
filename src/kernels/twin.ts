/**
 * A twin says what a kernel computes, in plain loops: for readers, for the CPU backend where there is no WebAssembly
 * kernel, in float64 for finite differences, and for `verify`. Twins are beside the contracts, in `<name>.twin.ts`. A
 * page loads them only if something runs them.
 */
import type { Arrays, Bindings, Kernel, Params, ParamTypes } from "./kernel.ts";
import type { RecurrentParts } from "../recurrent/kernels/recurrent-kernel.ts";

/** Computes the same as the kernel's shader. Arrays are float64 when the CPU backend is asked for it. */
export interface Twin<B extends Bindings = Bindings, P extends ParamTypes = ParamTypes> {
  (arrays: Arrays<B>, params: Params<P>): void;
  /** For kernels that may take long: the same work in pieces, to run in this order. */
  readonly pieces?: (arrays: Arrays<B>, params: Params<P>) => readonly (() => void)[];
}

/** The twin that runs these pieces. */
export function inPieces<B extends Bindings, P extends ParamTypes>(pieces: NonNullable<Twin<B, P>["pieces"]>): Twin<B, P> {
  return Object.assign(
    (arrays: Arrays<B>, params: Params<P>): void => {
      for (const piece of pieces(arrays, params)) piece();
    },
    { pieces },
  );
}

/** Makes the twin of any kernel with this stem, for example "loop-forward" for "loop-forward:lstm:32x4". */
export type TwinEntry = readonly [stem: string, of: (kernel: Kernel) => Twin];

/** Kernels that belong together. */
export interface KernelFamily {
  readonly twins: readonly TwinEntry[];
  /** Kernels that together compile every branch of the shaders, and run every branch of the twins. */
  readonly variants: () => readonly Kernel[];
}

/** The part of a kernel's name that its variants share. */
export const stemOf = ({ name }: Pick<Kernel, "name">): string => name.split(":")[0];

/** The twin of one kernel. */
export function twin<B extends Bindings, P extends ParamTypes>(kernel: Kernel<B, P>, run: Twin<B, P>): TwinEntry {
  return [stemOf(kernel), () => run as unknown as Twin];
}

/** Registers the twins of all kernels that share a stem; `of` receives the kernel. */
export function twins<K extends { bindings: Bindings; params: ParamTypes }>(
  stem: string,
  of: (kernel: K) => Twin<K["bindings"], K["params"]>,
): TwinEntry {
  return [stem, of as unknown as (kernel: Kernel) => Twin];
}

/** The same for recurrent kernels; `of` receives the parts that they are made of. */
export function recurrentTwins<K extends { bindings: Bindings; params: ParamTypes }>(
  stem: string,
  of: (parts: RecurrentParts) => Twin<K["bindings"], K["params"]>,
): TwinEntry {
  return [stem, ({ recurrent }) => of(recurrent!)];
}

/** One twin for the kernels with and without sums that threads share. */
export const withShared = <K extends { bindings: Bindings; params: ParamTypes }>(
  stem: string,
  of: (parts: RecurrentParts) => Twin<K["bindings"], K["params"]>,
): TwinEntry[] => [stem, `${stem}-shared`].map((name) => recurrentTwins<K>(name, of));
