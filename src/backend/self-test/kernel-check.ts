/** Runs single kernels on a device and by their twins, on cases that reach every branch. */
import type { Backend } from "../backend.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { twinOf } from "../all-twins.ts";
import { Recording, type View } from "../../recording/recording.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import { compareArrays, type Comparison, type Tolerance } from "./compare.ts";
import type { KernelCase } from "./case-values.ts";

export type Arrays = Record<string, NumericArray>;

/** One kernel with buffers for one case. */
export interface PreparedCase {
  /**
   * Runs the kernel on the case's contents and resolves once it is submitted; `results` are the contents of the written
   * buffers.
   */
  submit(): Promise<{ readonly results: Promise<Arrays> }>;
  free(): void;
}

/** Prepares one case on a device. @throws RnnError `device` if the device refuses the kernel */
export async function prepareCase(on: Backend, kernel: Kernel, { params, arrays }: KernelCase): Promise<PreparedCase> {
  const recording = new Recording();
  const bindings = Object.entries(kernel.bindings);
  const views: Record<string, View> = Object.fromEntries(
    bindings.map(([name, { type }]) => [name, recording.buffer(name, [arrays[name].length], "external", type)]),
  );
  recording.dispatch(kernel, views, params);
  const memory = Object.fromEntries(bindings.map(([name, { type }]) => [name, on.createBuffer(name, type, arrays[name].length)]));
  const free = (): void => {
    for (const buffer of Object.values(memory)) on.free(buffer);
  };
  try {
    const program = await on.prepare(recording, new Map(bindings.map(([name]) => [views[name].buffer, memory[name]])));
    return {
      async submit() {
        for (const [name] of bindings) on.write(memory[name], arrays[name]);
        await program.run();
        const written = bindings.filter(([, { access }]) => access === "read_write");
        const results = Promise.all(written.map(async ([name]) => [name, await on.read(memory[name])] as const)).then(
          Object.fromEntries<NumericArray>,
        );
        results.catch(() => undefined);
        return { results };
      },
      free() {
        program.free();
        free();
      },
    };
  } catch (error) {
    free();
    throw error;
  }
}

/** The buffers of a case after the kernel's twin has run. */
export function expectedOf(kernel: Kernel, { params, arrays }: KernelCase): Arrays {
  const results = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.slice()]));
  twinOf(kernel)(results, params);
  return results;
}

/** Describes a case in words. */
export const caseName = ({ note, params }: KernelCase): string =>
  [
    note,
    Object.entries(params)
      .map(([name, value]) => `${name} ${value}`)
      .join(" "),
  ]
    .filter(Boolean)
    .join(": ");

/** One written buffer of one case. */
export interface CaseFinding extends Comparison {
  readonly buffer: string;
  readonly case: string;
  readonly length: number;
}

/** Runs a kernel on `cases` and compares all buffers that it may write, also past the end. */
export async function checkKernel(on: Backend, kernel: Kernel, cases: readonly KernelCase[], tolerance: Tolerance): Promise<CaseFinding[]> {
  const prepared: PreparedCase[] = [];
  try {
    const runs: Promise<Arrays>[] = [];
    for (const one of cases) {
      prepared.push(await prepareCase(on, kernel, one));
      // Start the read-backs of all cases before awaiting the first.
      runs.push((await prepared[prepared.length - 1].submit()).results);
    }
    const findings: CaseFinding[] = [];
    for (const [i, one] of cases.entries()) {
      const expected = expectedOf(kernel, one);
      for (const [buffer, got] of Object.entries(await runs[i]))
        findings.push({ buffer, case: caseName(one), length: got.length, ...compareArrays(got, expected[buffer], tolerance) });
    }
    return findings;
  } finally {
    for (const one of prepared) one.free();
  }
}
