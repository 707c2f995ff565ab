/** The test of `createBackend({ selfTest: true })`: compares kernels with their twins on their cases. */
import { RnnError } from "../../errors.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { kernels } from "../all-kernels.ts";
import type { Failure } from "../../kernels/self-test.ts";
import type { Backend } from "../backend.ts";
import { casesOf } from "./kernel-cases.ts";
import { checkKernel } from "./kernel-check.ts";

/** The tolerance for floats, the same as in `verify`. */
const tolerance = { atol: 1e-5, rtol: 1e-4 };

/** One kernel for each set of WGSL files, and every matrix product, because products replace each other. */
export function testedKernels(): Kernel[] {
  const seen = new Set<string>();
  return kernels.filter(({ name, sources }) => {
    const files = name.startsWith("matmul-") ? name : sources.join();
    return !seen.has(files) && seen.add(files);
  });
}

/** @throws RnnError `device` if the device is lost */
export async function testKernels(backend: Backend): Promise<{ tested: number; failures: Failure[] }> {
  const failures: Failure[] = [];
  const tested = testedKernels();
  for (const kernel of tested) {
    const problem = await problemOf(backend, kernel);
    if (problem !== undefined) failures.push({ kernel: kernel.name, problem });
  }
  return { tested: tested.length, failures };
}

async function problemOf(backend: Backend, kernel: Kernel): Promise<string | undefined> {
  try {
    const bad = (await checkKernel(backend, kernel, casesOf(kernel), tolerance)).find(({ firstBadIndex }) => firstBadIndex >= 0);
    return bad && `${bad.buffer}[${bad.firstBadIndex}] is ${bad.device}, and should be ${bad.twin} (${bad.case})`;
  } catch (error) {
    // A kernel that does not compile has failed. If the device is lost, the whole test fails.
    if (error instanceof RnnError && backend.ended === undefined) return error.message;
    throw error;
  }
}
