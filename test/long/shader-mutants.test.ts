// verify notices each change of a shader, and names the kernel; for what kernels share, one that is made of it.
import { it } from "vitest";
import { expectNamed, kernelsNamed } from "../device/shader-mutation.ts";
import { shaderMutants } from "../device/shader-mutants.ts";

it.each(shaderMutants.filter(({ subject }) => subject !== undefined).map((one) => [`${one.file}, ${one.from} -> ${one.to}`, one] as const))(
  "verify finds %s",
  async (_, mutant) => {
    expectNamed(mutant, await kernelsNamed(mutant));
  },
);
