/** Runs one recording again and again, whose states stay on the device: generation, and search with a decoder. */
import type { DeviceBuffer, Program, RunResult } from "../backend/backend.ts";
import type { Buffer } from "../recording/recording.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import { CarriedStates } from "./carried-states.ts";
import { keepFirstStates } from "./keep-first-states.ts";
import type { Reading } from "./reading.ts";
import type { RecordingPlan, RunContext } from "./run-context.ts";
import type { RunParts, Session } from "./session.ts";

/**
 * A recording whose rows are sequences, at their beginning at first: their states are zeros, or those that the model
 * gives its layers.
 */
export class CarriedRuns {
  private constructor(
    private readonly session: Session,
    readonly context: RunContext,
    private readonly program: Program,
    private readonly carried: CarriedStates,
  ) {}

  /**
   * @param plan `states` must be of the kind "carried"
   * @param finish completes the recording; states are kept behind it
   * @param own memory of other external buffers, by label
   * @param reading the parameters on which first states depend
   */
  static async make(
    session: Session,
    plan: RecordingPlan,
    finish: (context: RunContext) => void,
    own: Readonly<Record<string, DeviceBuffer>>,
    reading: Reading,
  ): Promise<CarriedRuns> {
    const carried = new CarriedStates(session.backend);
    const memoryFor = (label: string, buffer: Buffer): DeviceBuffer => own[label] ?? carried.memoryFor(label, buffer);
    const programs: Program[] = [];
    const prepare = async (of: RecordingPlan, completed: (context: RunContext) => void) => {
      const made = await session.make(of, completed, memoryFor);
      programs.push(made.program);
      return made;
    };
    try {
      const { context, program } = await prepare(plan, (made) => {
        finish(made);
        made.keepStates();
      });
      if (context.givesStates) {
        const first = await prepare({ ...plan, states: { kind: "zero" } }, (made) => keepFirstStates(made));
        // They depend on no inputs of a run.
        await session.run(first.program, {}, { reading });
        first.program.free();
      }
      return new CarriedRuns(session, context, program, carried);
    } catch (error) {
      for (const program of programs) program.free();
      carried.free();
      throw error;
    }
  }

  run(inputs: Readonly<Record<string, NumericArray>>, parts: RunParts): Promise<RunResult> {
    return this.session.run(this.program, inputs, parts);
  }

  free(): void {
    this.program.free();
    this.carried.free();
  }
}
