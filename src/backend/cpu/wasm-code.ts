/** Compiles a file of `wasm-builds/`. */

/** What such a file has: the plain build and behind it the relaxed one, deflated (zlib) and in base64 with line ends. */
export interface WasmBuild {
  readonly packed: string;
  /** Bytes of each. */
  readonly plainLength: number;
  readonly relaxedLength: number;
}

export interface WasmCode {
  readonly plain: Uint8Array<ArrayBuffer>;
  /** With relaxed SIMD: fused multiply-add. */
  readonly relaxed: Uint8Array<ArrayBuffer>;
}

export interface Compiled {
  readonly module: WebAssembly.Module;
  readonly relaxed: boolean;
}

/** The functions of a module. */
export type WasmExports = Readonly<Record<string, (...args: number[]) => void>>;

/** The two builds, which lie one behind the other. */
export const parted = (both: Uint8Array<ArrayBuffer>, { plainLength, relaxedLength }: WasmBuild): WasmCode => ({
  plain: both.subarray(0, plainLength),
  relaxed: both.subarray(plainLength, plainLength + relaxedLength),
});

/** Compiles the build that this engine can run; undefined if it has no SIMD. */
export async function compile({ plain, relaxed }: WasmCode): Promise<Compiled | undefined> {
  const fused = WebAssembly.validate(relaxed);
  if (!fused && !WebAssembly.validate(plain)) return undefined;
  return { module: await WebAssembly.compile(fused ? relaxed : plain), relaxed: fused };
}

/** An instance over a memory, whose scratch memory begins at 0. */
export async function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<WasmExports> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory, scratch: 0, log: Math.log, pow: Math.pow } });
  return exports as unknown as WasmExports;
}

/** Bytes of the scratch memory, which come first in a memory. */
export const scratchBytesOf = ({ scratchBytes }: WasmExports): number => (scratchBytes as unknown as WebAssembly.Global).value as number;
