/** Compute pipelines by kernel, made once a device, with explicit layouts from the contract. */
import { RnnError } from "../../errors.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import type { Counters } from "../backend.ts";
import { shaders } from "./shaders.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

const bufferTypes = { read: "read-only-storage", read_write: "storage", uniform: "uniform" } as const;

/** Bytes between two params blocks: WebGPU's default alignment of dynamic uniform offsets. */
export const paramsStride = 256;

export class Pipelines {
  readonly paramsLayout: GPUBindGroupLayout;
  private readonly layouts = new Map<string, GPUBindGroupLayout>();
  private readonly pipelines = new Map<string, Promise<Pipeline>>();

  constructor(
    private readonly device: GPUDevice,
    private readonly counters: Counters,
    /** WGSL to use instead of the package's, by path; the tests break kernels on purpose with it. */
    private readonly replaced: Readonly<Record<string, string>>,
  ) {
    this.paramsLayout = device.createBindGroupLayout({
      label: "params",
      entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: paramsStride } }],
    });
  }

  get(kernel: Kernel): Promise<Pipeline> {
    const known = this.pipelines.get(kernel.name);
    if (known) return known;
    const made = this.make(kernel);
    this.pipelines.set(kernel.name, made);
    return made;
  }

  /** The WGSL of a kernel: its files one behind the other. */
  source(kernel: Kernel): string {
    return kernel.sources.map((path) => this.replaced[path] ?? kernel.texts?.[path] ?? shaders[path] ?? missing(path)).join("\n");
  }

  private async make(kernel: Kernel): Promise<Pipeline> {
    const layout = this.layoutOf(kernel);
    const code = this.source(kernel);
    const module = this.device.createShaderModule({ label: kernel.name, code });
    const { messages } = await module.getCompilationInfo();
    const error = messages.find((m) => m.type === "error");
    if (error) {
      const line = code.split("\n")[error.lineNum - 1]?.trim() ?? "";
      throw new RnnError("device", kernel.name, `shader does not compile here: ${error.message} (line ${error.lineNum}: ${line})`);
    }
    this.counters.pipelines++;
    const pipeline = await this.device.createComputePipelineAsync({
      label: kernel.name,
      layout: this.device.createPipelineLayout({ label: kernel.name, bindGroupLayouts: [layout, this.paramsLayout] }),
      compute: { module, entryPoint: "main", constants: kernel.constants },
    }).catch((cause: unknown) => {
      throw new RnnError("device", kernel.name, `pipeline could not be made: ${(cause as Error).message}`, { cause });
    });
    return { pipeline, layout };
  }

  private layoutOf(kernel: Kernel): GPUBindGroupLayout {
    const accesses = Object.values(kernel.bindings).map((b) => b.access);
    const key = accesses.join();
    let layout = this.layouts.get(key);
    if (!layout) {
      layout = this.device.createBindGroupLayout({
        label: key,
        entries: accesses.map((access, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: bufferTypes[access] },
        })),
      });
      this.layouts.set(key, layout);
    }
    return layout;
  }
}

function missing(path: string): never {
  throw new RnnError("device", "shaders", `no shader file "${path}"`);
}
