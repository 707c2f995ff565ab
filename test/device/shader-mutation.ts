/** Checks that `verify` notices a changed shader. */
import { expect } from "vitest";
import { verify } from "webgpu-rnn";
import { profileVersion } from "../../src/kernels/device-profile.ts";
import { allShaders } from "../../src/backend/webgpu/all-shaders.ts";
import { common } from "../../src/backend/webgpu/shaders.ts";
import type { ShaderMutant } from "./shader-mutants.ts";
import { subjects } from "./shader-subjects.ts";
import { backend, ownBackend } from "./support.ts";

const shaders = await allShaders(common);

/** The kernels that `verify` names on a device with this change. */
export async function kernelsNamed({ file, from, to, subject }: ShaderMutant): Promise<string[]> {
  const { model, inputs, options, splits, isGpu } = subjects[subject!];
  const { adapter } = await backend("webgpu");
  const pass = { loop: [[1]], step: [[1]] };
  const costs = { loop: 1, step: 1 };
  const products = { blocks: [256], whole: [2], split: [1] };
  const profile = splits
    ? {
        version: profileVersion,
        adapter,
        units: [64],
        rows: [4],
        fixed: { forward: costs, backward: costs },
        forward: pass,
        backward: pass,
        products,
      }
    : undefined;
  const on = await ownBackend("webgpu", { shaders: { [file]: shaders[file].replace(from, () => to) }, profile });
  if (isGpu) Object.defineProperty(on, "isGpu", { value: true });
  try {
    const { findings } = await verify(model(), inputs, { ...options, backend: on });
    return [...new Set(findings.filter(({ firstBadIndex }) => firstBadIndex >= 0).map(({ kernel }) => kernel))];
  } finally {
    on.destroy();
  }
}

/** Fails unless the changed file's kernel is named and no other; of a file that kernels share, any. */
export function expectNamed({ file }: ShaderMutant, names: readonly string[]): void {
  expect(names).not.toEqual([]);
  if (!/^(lib|cells)\//.test(file)) for (const name of names) expect(name.split(":")[0]).toBe(file.split("/").at(-1));
}
