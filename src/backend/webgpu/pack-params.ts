/** The params of a recording's dispatches, as one uniform buffer holds them. */
import type { ElementType } from "../../kernels/kernel.ts";
import type { Command } from "../../recording/recording.ts";
import { paramsStride } from "./pipelines.ts";

const setters = { f32: "setFloat32", u32: "setUint32", i32: "setInt32" } as const satisfies Record<ElementType, string>;

/** Equal blocks are there only once. @returns the bytes, and for each command its block's offset (-1 if it has none) */
export function packParams(commands: readonly Command[]): { bytes: ArrayBuffer; offsets: number[] } {
  const blocks = new Map<string, { readonly offset: number; readonly params: readonly (readonly [ElementType, number])[] }>();
  const offsets = commands.map((command) => {
    if (command.kind !== "dispatch") return -1;
    const params = Object.entries(command.kernel.params).map(([name, type]) => [type, command.params[name]] as const);
    const key = params.join();
    let block = blocks.get(key);
    if (!block) blocks.set(key, (block = { offset: blocks.size * paramsStride, params }));
    return block.offset;
  });
  const view = new DataView(new ArrayBuffer(Math.max(1, blocks.size) * paramsStride));
  for (const { offset, params } of blocks.values()) params.forEach(([type, value], i) => view[setters[type]](offset + 4 * i, value, true));
  return { bytes: view.buffer, offsets };
}
