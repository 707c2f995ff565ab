/** The states that a model begins with by itself where they are not zeros, as those of a `.nam` file. */
import type { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import type { CpuProgram } from "../backend/cpu/cpu-program.ts";
import type { View } from "../recording/recording.ts";
import type { RecordingPlan, RunContext } from "../session/run-context.ts";
import type { Session } from "../session/session.ts";
import { joined } from "./frames.ts";

/**
 * Finds the states that the model gives its layers, one view for each layer.
 * @param plan of one step of one row
 * @param context the recording of the stream's step
 */
export async function firstStates(
  session: Session,
  backend: CpuBackend,
  plan: RecordingPlan,
  context: RunContext,
): Promise<FirstStates | undefined> {
  if (context.starts.size === 0) return undefined;
  const views = new Map<string, readonly View[]>();
  const first = session.recordNow({ ...plan, states: { kind: "zero" } }, ({ starts, states, recording }) => {
    for (const [path, values] of starts) {
      if (!states.has(path)) continue;
      // A download keeps the memory from being used by others.
      values.forEach(({ view }, i) => recording.download(`first.${path}.${i}`, view));
      views.set(
        path,
        values.map(({ view }) => view),
      );
    }
  });
  if (views.size === 0) return undefined;
  await backend.load(first.recording);
  return new FirstStates(backend.prepareNow(first.recording, session.memoryOf(first)), views);
}

export class FirstStates {
  /** By path, [layers, units]. */
  private values = new Map<string, Float32Array>();
  private moment: object | undefined;

  /** @param program computes the views of one row from the parameters */
  constructor(
    readonly program: CpuProgram,
    private readonly views: ReadonlyMap<string, readonly View[]>,
  ) {}

  /** Computes them for the parameters of this moment. @returns those of the moment before, if there was another one */
  take(moment: object): ReadonlyMap<string, Float32Array> | undefined {
    if (moment === this.moment) return undefined;
    const before = this.values;
    this.program.runNow(moment);
    this.values = new Map([...this.views].map(([path, views]) => [path, joined(views.map((view) => this.program.arrayOf(view)))]));
    this.moment = moment;
    return before;
  }

  of(path: string): Float32Array | undefined {
    return this.values.get(path);
  }
}
