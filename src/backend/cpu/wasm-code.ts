/** Unpacks and compiles a file of `wasm-builds/`. */

/** What such a file has: the plain build and behind it the relaxed one, deflated (zlib) and in base64 with line ends. */
export interface WasmBuild {
  readonly packed: string;
  /** Bytes of the plain build. */
  readonly plainLength: number;
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

/** The value of each character that is a digit, by its code; 64 for others. A table takes less time than a search. */
const digits = new Uint8Array(128).fill(64);
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (let i = 0; i < alphabet.length; i++) digits[alphabet.charCodeAt(i)] = i;

/** Decodes base64 without `atob`, which worklets lack. Skips everything that is no digit (line ends, padding). */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((base64.length * 3) >> 2);
  let length = 0;
  for (let i = 0, bits = 0, held = 0; i < base64.length; i++) {
    const digit = digits[base64.charCodeAt(i)];
    if (digit === 64) continue;
    held = ((held << 6) | digit) & 0xffff;
    bits += 6;
    if (bits >= 8) bytes[length++] = held >> (bits -= 8);
  }
  return bytes.subarray(0, length);
}

async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  // Worklets and old engines lack one of these.
  if (typeof DecompressionStream === "undefined" || typeof Response === "undefined") return (await import("./inflate.ts")).inflate(bytes);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export async function unpack({ packed, plainLength }: WasmBuild): Promise<WasmCode> {
  const both = await inflated(bytesOf(packed));
  return { plain: both.subarray(0, plainLength), relaxed: both.subarray(plainLength) };
}

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
