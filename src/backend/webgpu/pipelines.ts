/** Compute pipelines by kernel, made once for each device, with explicit layouts from the contract. */
import { RnnError } from "../../errors.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { cellText } from "../../recurrent/kernels/cell-structs.ts";
import type { Counters } from "../backend.ts";
import type { Life } from "../life.ts";
import { shaderStage } from "./constants.ts";
import { declared } from "./declarations.ts";
import { refused, watched } from "./refusal.ts";
import { allShaders, common, shaderText } from "./shaders.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

const bufferTypes = { read: "read-only-storage", read_write: "storage", uniform: "uniform" } as const;

/** Bytes between two params blocks: WebGPU's default alignment of dynamic uniform offsets. */
export const paramsStride = 256;

/** The most pipelines kept for later programs. All variants of the package's kernels are fewer. */
const most = 512;

export class Pipelines {
  readonly paramsLayout: GPUBindGroupLayout;
  private readonly layouts = new Map<string, GPUBindGroupLayout>();
  private readonly pipelines = new Map<string, Promise<Pipeline>>();

  constructor(
    private readonly device: GPUDevice,
    private readonly life: Life,
    private readonly counters: Counters,
    /** WGSL to use instead of the package's, by path; tests use it to break kernels on purpose. */
    private readonly replaced: Readonly<Record<string, string>>,
  ) {
    this.paramsLayout = device.createBindGroupLayout({
      label: "params",
      entries: [
        { binding: 0, visibility: shaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: paramsStride } },
      ],
    });
  }

  get(kernel: Kernel): Promise<Pipeline> {
    const known = this.pipelines.get(kernel.name);
    const made = known ?? this.make(kernel);
    // The map's last entry is the one used latest. Programs hold the pipelines they need, so the first can be dropped;
    // user-defined cells would otherwise fill the map.
    this.pipelines.delete(kernel.name);
    this.pipelines.set(kernel.name, made);
    if (this.pipelines.size > most) this.pipelines.delete(this.pipelines.keys().next().value!);
    // A failure, for example for lack of memory, may not happen the next time.
    if (!known) made.catch(() => this.pipelines.get(kernel.name) === made && this.pipelines.delete(kernel.name));
    return made;
  }

  /** A hash of all WGSL, to recognise other versions and changed shaders. */
  async fingerprint(): Promise<string> {
    return (await allShaders.load()).fingerprint(this.replaced, common);
  }

  /** The WGSL of a kernel: its files, concatenated, and what they leave to its contract. */
  async source(kernel: Kernel): Promise<string> {
    const texts = kernel.sources.map(
      async (path) =>
        this.replaced[path] ?? (kernel.recurrent && cellText(kernel.recurrent, path)) ?? (await shaderText(path)) ?? missing(path),
    );
    return declared(kernel, (await Promise.all(texts)).join("\n"));
  }

  private async make(kernel: Kernel): Promise<Pipeline> {
    const code = await this.source(kernel);
    const {
      result: { layout, module, pipelineLayout },
      refusal,
    } = watched(this.device, () => {
      const layout = this.layoutOf(kernel);
      return {
        layout,
        module: this.device.createShaderModule({ label: kernel.name, code }),
        pipelineLayout: this.device.createPipelineLayout({ label: kernel.name, bindGroupLayouts: [layout, this.paramsLayout] }),
      };
    });
    const [{ messages }, found] = await this.life.until(Promise.all([module.getCompilationInfo(), refusal]));
    const error = messages.find((m) => m.type === "error");
    if (error) {
      const line = code.split("\n")[error.lineNum - 1]?.trim() ?? "";
      throw new RnnError("device", kernel.name, `shader does not compile here: ${error.message} (line ${error.lineNum}: ${line})`);
    }
    if (found) throw refused(kernel.name, found);
    this.counters.pipelines++;
    const making = this.device.createComputePipelineAsync({
      label: kernel.name,
      layout: pipelineLayout,
      compute: { module, entryPoint: "main", constants: kernel.constants },
    });
    const pipeline = await this.life.until(
      making.catch((cause: unknown) => {
        throw new RnnError("device", kernel.name, `pipeline could not be made: ${(cause as Error).message}`, { cause });
      }),
    );
    return { pipeline, layout };
  }

  private layoutOf(kernel: Kernel): GPUBindGroupLayout {
    const accesses = Object.values(kernel.bindings).map((b) => b.access);
    const key = accesses.join();
    let layout = this.layouts.get(key);
    if (!layout) {
      layout = this.device.createBindGroupLayout({
        label: key,
        entries: accesses.map((access, binding) => ({ binding, visibility: shaderStage.COMPUTE, buffer: { type: bufferTypes[access] } })),
      });
      this.layouts.set(key, layout);
    }
    return layout;
  }
}

function missing(path: string): never {
  if (path.startsWith("cells/"))
    throw new RnnError(
      "option",
      "createBackend",
      `the cell "${path.slice(6).split("#")[0]}" has no WGSL, which WebGPU needs: give defineCell its wgsl, or run it with createBackend("cpu")`,
    );
  throw new RnnError("device", "shaders", `no shader file "${path}"`);
}
