/**
 * Tells where to switch WebGPU on, and where to see why it is missing: a different place in each browser, another in
 * Node.
 */

interface Surroundings {
  readonly navigator?: { readonly userAgent?: string };
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly Deno?: object;
  readonly isSecureContext?: boolean;
}

export type Environment = "node" | "deno" | "firefox" | "chromium" | "safari" | "browser";

/** @param around the global object */
export function environmentOf(around: Surroundings = globalThis): Environment {
  if (around.Deno !== undefined) return "deno";
  if (around.process?.versions?.node) return "node";
  const agent = around.navigator?.userAgent ?? "";
  if (agent.includes("Firefox/")) return "firefox";
  if (/Chrom(e|ium)\//.test(agent)) return "chromium";
  return agent.includes("Safari/") ? "safari" : "browser";
}

const switches: Readonly<Record<Environment, string>> = {
  node: 'Node has no WebGPU of its own; install the package "webgpu" beside this one',
  deno: "this Deno has no WebGPU; use a current version",
  firefox:
    "this Firefox has WebGPU switched off: set dom.webgpu.enabled (and for workers dom.webgpu.workers.enabled) to true in about:config",
  chromium: "this browser has no WebGPU; update it, or switch it on at chrome://flags/#enable-unsafe-webgpu",
  safari: "this Safari has no WebGPU; use version 26 or later, or switch it on in its settings under Feature Flags",
  browser: "this browser has no WebGPU; use a current Chrome, Edge, Safari or Firefox",
};

/** Why `navigator.gpu` is missing, and what to do about it. */
export function whyNoWebGpu(around?: Surroundings): string {
  const { isSecureContext } = around ?? globalThis;
  if (isSecureContext === false) return "pages have WebGPU only on https and localhost";
  return switches[environmentOf(around)];
}

const adapters: Readonly<Record<Environment, string>> = {
  node: "the system has no driver for Vulkan, Metal or Direct3D 12 that Dawn can use (on Debian and Ubuntu, mesa-vulkan-drivers has some)",
  deno: "the system has no driver for Vulkan, Metal or Direct3D 12 that Deno can use",
  firefox: "the GPU or its driver may be blocked (about:support says so; gfx.webgpu.ignore-blocklist in about:config overrules it)",
  chromium: "the GPU or its driver may be blocked (chrome://gpu says so)",
  safari: "the GPU may be too old",
  browser: "the GPU or its driver may be blocked",
};

/** Why there is WebGPU but no adapter, and where to find out more. */
export function whyNoAdapter(around?: Surroundings): string {
  return `no adapter: ${adapters[environmentOf(around)]}`;
}
