// `npm run bench -- --bundle DIR`: a folder with everything that the bench needs on a Linux machine that has a GPU but
// neither this repository nor a network: Node itself, Dawn, one script, and with --peers the other libraries.
import { execFile } from "node:child_process";
import { chmod, copyFile, cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { bundle, root } from "../scripts/bundle.mjs";
import { buildPeers } from "./build-peers.mjs";

/** Finds the drivers that containers often hide from Vulkan's loader, then starts the bench. */
const script = `#!/bin/sh
# Starts the bench: ./run.sh --peers --pytorch --json out.json; the options are in README.md.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
# Vulkan's loader, for machines that have a driver but no loader.
export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib"
export XDG_RUNTIME_DIR="\${XDG_RUNTIME_DIR:-/tmp}"
# NVIDIA's container tools bring the driver without the file that names it.
if [ -z "$VK_ICD_FILENAMES$VK_DRIVER_FILES" ] && ! ls /usr/share/vulkan/icd.d/*nvidia* /etc/vulkan/icd.d/*nvidia* >/dev/null 2>&1 &&
  ldconfig -p 2>/dev/null | grep -q libGLX_nvidia.so.0; then
  export VK_ICD_FILENAMES="$here/lib/nvidia_icd.json"
fi
exec "$here/node" "$here/bench.mjs" "$@"
`;

const nvidia = { file_format_version: "1.0.0", ICD: { library_path: "libGLX_nvidia.so.0", api_version: "1.3.0" } };

/** The system's Vulkan loader, if there is one to take along. */
async function vulkanLoader() {
  try {
    const { stdout } = await promisify(execFile)("/sbin/ldconfig", ["-p"]);
    return (
      stdout
        .split("\n")
        .find((line) => line.includes("libvulkan.so.1"))
        ?.split("=> ")[1] ?? null
    );
  } catch {
    return null;
  }
}

export async function makeBundle(directory, { peers }) {
  const folder = resolve(directory);
  if (existsSync(folder) && (await readdir(folder)).length > 0) throw new Error(`${directory} is not empty`);
  const dawn = join(folder, "node_modules", "webgpu");
  await Promise.all([mkdir(join(folder, "lib"), { recursive: true }), mkdir(dawn, { recursive: true })]);
  await bundle({
    entryPoints: ["bench/standalone.ts"],
    outfile: join(folder, "bench.mjs"),
    platform: "node",
    target: "node20",
    external: ["webgpu"],
    sourcemap: false,
  });
  const installed = join(root, "node_modules", "webgpu");
  const build = join("dist", `${process.platform}-${process.arch}`);
  await Promise.all([
    ...["package.json", "index.js"].map((file) => copyFile(join(installed, file), join(dawn, file))),
    cp(join(installed, build), join(dawn, build), { recursive: true }),
    copyFile(process.execPath, join(folder, "node")).then(() => chmod(join(folder, "node"), 0o755)),
    copyFile(join(root, "bench", "pytorch.py"), join(folder, "pytorch.py")),
    copyFile(join(root, "bench", "README.md"), join(folder, "README.md")),
    writeFile(join(folder, "lib", "nvidia_icd.json"), `${JSON.stringify(nvidia)}\n`),
    writeFile(join(folder, "run.sh"), script, { mode: 0o755 }),
    vulkanLoader().then((loader) => loader && cp(loader, join(folder, "lib", "libvulkan.so.1"), { dereference: true })),
    buildPeers(join(folder, "peers"), { install: peers, forNode: true }),
  ]);
  console.log(`${directory}: copy it to the other machine and start ./run.sh there`);
}
