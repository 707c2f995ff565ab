/** The memory that a recording will take on its device, computed before anything is allocated. */
import type { Backend } from "../backend/backend.ts";
import { planMemory } from "../recording/lifetimes.ts";
import type { Recording } from "../recording/recording.ts";

/** Bytes on the device, without a few kilobytes of params and without the buffers for reading results back. */
export interface MemoryUse {
  /** Buffers that outlive a run: parameters; in training also gradients, the optimiser's state, carried states and copies. */
  lasting: number;
  /** Inputs, targets and constants. */
  inputs: number;
  /** Values within a run; values that are never needed at the same time share memory. */
  transient: number;
  total: number;
}

/**
 * @param copied numbers in copies that are kept besides the recording's buffers
 */
export function memoryOf(recording: Recording, { precision }: Backend, copied = 0): MemoryUse {
  const floatBytes = precision === "float64" ? 8 : 4;
  const bytes = ({ type, length }: { type: string; length: number }): number => length * (type === "f32" ? floatBytes : 4);
  const sum = (pieces: readonly { type: string; length: number }[]): number => pieces.reduce((total, piece) => total + bytes(piece), 0);
  const lasting = sum(recording.buffers.filter(({ role }) => role === "external")) + copied * floatBytes;
  const inputs = sum(recording.buffers.filter(({ role }) => role === "input" || role === "constant"));
  const transient = sum(planMemory(recording, { share: true }).slots);
  return { lasting, inputs, transient, total: lasting + inputs + transient };
}
