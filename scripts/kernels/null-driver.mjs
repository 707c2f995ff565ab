// A Vulkan driver that compiles for a GPU and runs nothing: Mesa's RADV without a device, behind null-icd.c.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../bundle.mjs";

/**
 * Builds the driver.
 * @param {string} chip Mesa's name of the GPU
 * @returns `{ variables }` of the environment under which Dawn finds it, or `{ missing }`: why it cannot be built here
 */
export function nullDriver(chip) {
  if (process.platform !== "linux") return { missing: "the driver is for Linux" };
  const folder = join(root, "build", "null-icd");
  mkdirSync(folder, { recursive: true });
  const library = join(folder, "null-icd.so");
  try {
    execFileSync("cc", ["-O1", "-shared", "-fPIC", "-o", library, join(root, "scripts", "kernels", "null-icd.c"), "-ldl"], {
      stdio: "pipe",
    });
  } catch (error) {
    return {
      missing:
        error.code === "ENOENT"
          ? "there is no C compiler (Debian: apt-get install gcc libc6-dev)"
          : `the C compiler failed: ${error.stderr}`,
    };
  }
  const manifest = join(folder, "null-icd.json");
  writeFileSync(manifest, JSON.stringify({ file_format_version: "1.0.0", ICD: { library_path: library, api_version: "1.3.230" } }));
  return {
    variables: {
      XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? folder,
      VK_ICD_FILENAMES: manifest,
      VK_DRIVER_FILES: manifest,
      // Newer versions of Mesa know the second name.
      RADV_FORCE_FAMILY: chip,
      AMD_FORCE_FAMILY: chip,
      RADV_DEBUG: "shaderstats,nocache,shaders",
      MESA_SHADER_CACHE_DISABLE: "true",
    },
  };
}
