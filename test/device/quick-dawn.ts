/**
 * Node only. Dawn has each index in a shader clamped, and a software adapter then takes half as long again to compile. The
 * package's kernels keep within their buffers: here they have to, without that. Browsers and the long lane have them clamped.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

interface Dawn {
  create: ((flags: readonly string[]) => object) & { quick?: true };
}

const folder = dirname(require.resolve("webgpu"));
const dawn = require(
  join(folder, "dist", `${process.platform}-${process.platform === "darwin" ? "universal" : process.arch}`, "dawn.node"),
) as Dawn;
if (!dawn.create.quick && !process.env.THOROUGH) {
  const { create } = dawn;
  dawn.create = Object.assign((flags: readonly string[]) => create([...flags, "enable-dawn-features=disable_robustness"]), {
    quick: true,
  } as const);
}
