/** How the commands of a run become a command buffer with as few passes as possible. */
import type { Counters, Fill } from "../backend.ts";
import { checkHeld } from "../ledger.ts";
import type { Stopwatch } from "./stopwatch.ts";
import type { WebGpuBuffer } from "./webgpu-backend.ts";

/** A command with all its WebGPU objects. Numbers are bytes. */
export type PreparedCommand =
  | { kind: "dispatch"; pipeline: GPUComputePipeline; group: GPUBindGroup; paramsOffset: number; x: number; y: number; z: number }
  | { kind: "copy"; from: GPUBuffer; fromOffset: number; to: GPUBuffer; toOffset: number; bytes: number }
  | { kind: "clear"; buffer: GPUBuffer; offset: number; bytes: number };

/** Number of compute passes for these commands: a copy or a clear ends a pass. */
export const passesOf = (commands: readonly PreparedCommand[]): number =>
  commands.filter(({ kind }, i) => kind === "dispatch" && commands[i - 1]?.kind !== "dispatch").length;

export function encodeFills(encoder: GPUCommandEncoder, fills: readonly Fill[]): void {
  for (const { to, from, offset = 0 } of fills) {
    checkHeld(to);
    const { gpu, length } = to as WebGpuBuffer;
    if (from) {
      checkHeld(from);
      encoder.copyBufferToBuffer((from as WebGpuBuffer).gpu, offset * 4, gpu, 0, length * 4);
    } else encoder.clearBuffer(gpu);
  }
}

/**
 * @param paramsGroup the params of all dispatches, each at its `paramsOffset`
 * @param stopwatch measures each pass
 */
export function encodeCommands(
  encoder: GPUCommandEncoder,
  commands: readonly PreparedCommand[],
  paramsGroup: GPUBindGroup,
  counters: Counters,
  stopwatch: Stopwatch | undefined,
): void {
  let pass: GPUComputePassEncoder | undefined;
  let pipeline: GPUComputePipeline | undefined;
  let group: GPUBindGroup | undefined;
  let paramsOffset = -1;
  for (const command of commands) {
    if (command.kind !== "dispatch") {
      pass?.end();
      pass = undefined;
      if (command.kind === "copy")
        encoder.copyBufferToBuffer(command.from, command.fromOffset, command.to, command.toOffset, command.bytes);
      else encoder.clearBuffer(command.buffer, command.offset, command.bytes);
      continue;
    }
    if (!pass) {
      pass = encoder.beginComputePass({ label: "compute", timestampWrites: stopwatch?.next() });
      pipeline = group = undefined;
      paramsOffset = -1;
    }
    if (command.pipeline !== pipeline) pass.setPipeline((pipeline = command.pipeline));
    if (command.group !== group) pass.setBindGroup(0, (group = command.group));
    if (command.paramsOffset !== paramsOffset) pass.setBindGroup(1, paramsGroup, [(paramsOffset = command.paramsOffset)]);
    pass.dispatchWorkgroups(command.x, command.y, command.z);
    counters.dispatches++;
  }
  pass?.end();
}
