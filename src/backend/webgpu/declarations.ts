/**
 * The declarations of a shader that follow from its kernel's contract: buffers and params. The files in `shaders/` have
 * them for readers and editors. The build leaves them out, and this file makes them again, so that a page loads half a
 * kilobyte less.
 */
import type { Kernel } from "../../kernels/kernel.ts";

/** Each declaration, as minified WGSL, with the name that it declares. */
export function declarationsOf({ bindings, params }: Pick<Kernel, "bindings" | "params">): [name: string, text: string][] {
  const buffers = Object.entries(bindings).map(([name, { access, type }], i): [string, string] => [
    name,
    `@group(0)@binding(${i})var<storage,${access}> ${name}:array<${type}>;`,
  ]);
  const members = Object.entries(params).map(([name, type]) => `${name}:${type}`);
  const block: [string, string][] = [
    ["Params", `struct Params{${members.join()}}`],
    ["params", "@group(1)@binding(0)var<uniform> params:Params;"],
  ];
  // WGSL has no empty struct, and arrays in uniform buffers cannot have elements of four bytes: such shaders keep their own.
  return [...buffers.filter(([name]) => bindings[name].access !== "uniform"), ...(members.length > 0 ? block : [])];
}

/** The WGSL of a kernel with the declarations that it lacks, at its end: lines keep their numbers. */
export function declared(kernel: Pick<Kernel, "bindings" | "params">, code: string): string {
  const isMissing = (name: string): boolean => !new RegExp(`(var<[^>]+>|struct)\\s*${name}\\b`).test(code);
  const missing = declarationsOf(kernel).filter(([name]) => isMissing(name));
  return [code, ...missing.map(([, text]) => text)].join("\n");
}
