// Gives Node a WebGPU adapter. Dawn (npm `webgpu`) looks for the system's own driver; where it finds none,
// the software driver that ships with Chromium (SwiftShader) serves. WEBGPU_ADAPTER=hardware or software
// insists on one of them. A driver already named in VK_ICD_FILENAMES or VK_DRIVER_FILES is left alone.
import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { presentBrowser, withBrowser } from "./browsers.mjs";
import { root } from "./bundle.mjs";

const run = promisify(execFile);

/** The manifest of the SwiftShader driver beside a Chromium's program file. */
async function swiftShader(chromium) {
  // /usr/bin/chromium is a shell script on Debian; the program and its driver lie under /usr/lib.
  const folders = [dirname(realpathSync(chromium)), "/usr/lib/chromium", "/usr/lib/chromium-browser", "/usr/lib64/chromium-browser"];
  const driver = folders.map((folder) => join(folder, "vk_swiftshader_icd.json")).find((path) => existsSync(path));
  if (driver === undefined) throw new Error(`no vk_swiftshader_icd.json beside ${chromium}`);
  return driver;
}

async function installedDriver() {
  const chromium = await presentBrowser("chromium");
  if (chromium === null) throw new Error("no Chromium is installed");
  return swiftShader(chromium);
}

// Runs in a separate process: a crashing driver must not end the caller, and Vulkan reads its environment only once.
const probe = `
  const { create } = await import("webgpu");
  const adapter = await create([]).requestAdapter();
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter?.info ?? {};
  console.log(JSON.stringify(adapter && { vendor, architecture, device, description, software: Boolean(isFallbackAdapter) }));
  process.exit(0);
`;

async function adapterUnder(variables) {
  const options = { cwd: root, env: { ...process.env, ...variables }, timeout: 300_000 };
  try {
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", probe], options);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "null");
  } catch {
    return null; // no Dawn for this system, or a driver that crashed: no adapter either way
  }
}

/**
 * `{ adapter, variables, reason }`: what Dawn finds when Node is started with these environment variables;
 * `adapter` is null, with the reason and the remedy, where there is none. `install` may fetch a Chromium for its driver.
 */
export async function nodeAdapter({ install = false } = {}) {
  const wanted = process.env.WEBGPU_ADAPTER ?? "auto";
  // Vulkan's loader complains at each start where this is unset, as it is for root.
  const variables = process.platform === "linux" && !process.env.XDG_RUNTIME_DIR ? { XDG_RUNTIME_DIR: tmpdir() } : {};
  const named = process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES;
  if (named || wanted !== "software") {
    const adapter = await adapterUnder(variables);
    if (adapter !== null && !(wanted === "hardware" && adapter.software)) return { adapter, variables, reason: "" };
    if (named && adapter === null)
      return { adapter: null, variables, reason: `Dawn finds no adapter with the driver ${named}; unset VK_ICD_FILENAMES` };
    if (wanted === "hardware")
      return { adapter: null, variables, reason: "Dawn finds no hardware adapter; unset WEBGPU_ADAPTER to use a software one" };
  }
  try {
    const driver = install ? await withBrowser("chromium", swiftShader) : await installedDriver();
    const withDriver = { ...variables, VK_ICD_FILENAMES: driver };
    const adapter = await adapterUnder(withDriver);
    return { adapter, variables: withDriver, reason: adapter === null ? `Dawn finds no adapter with ${driver} either` : "" };
  } catch (error) {
    const reason = `Dawn finds no adapter, nor a software driver (${error.message}); install Chromium (Debian: apt-get install chromium)`;
    return { adapter: null, variables, reason };
  }
}
