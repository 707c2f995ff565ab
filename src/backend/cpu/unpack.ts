/**
 * Unpacks a build by a small WebAssembly module: synchronously, and in worklets too, which have neither atob nor
 * DecompressionStream.
 */
import { bytes } from "./wasm-builds/unpack.ts";
import { parted, type WasmBuild, type WasmCode } from "./wasm-code.ts";

/** Bytes at the beginning of the memory that `wasm/unpack.ts` uses itself. */
const own = 4096;

export function unpack(build: WasmBuild): WasmCode {
  const { packed, plainLength, relaxedLength } = build;
  const end = own + packed.length;
  const pages = Math.ceil((end + plainLength + relaxedLength) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)), { env: { memory } });
  const all = new Uint8Array(memory.buffer);
  for (let i = 0; i < packed.length; i++) all[own + i] = packed.charCodeAt(i);
  (exports.unpack as (text: number, length: number, to: number) => void)(own, packed.length, end);
  return parted(all.subarray(end), build);
}
