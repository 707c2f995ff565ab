/**
 * Unpacks a build in WebAssembly, wherever that can be compiled: in worklets too, which have neither atob nor
 * DecompressionStream, and at once.
 */
import { bytes } from "./wasm-builds/unpack.ts";
import { parted, type WasmBuild, type WasmCode } from "./wasm-code.ts";

/** The memory before it is taken. */
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
