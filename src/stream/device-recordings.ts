/** The recordings of a stream on a device: each is made when it is first needed. */
import type { DeviceBuffer, Program } from "../backend/backend.ts";
import { keepFirstStates } from "../session/keep-first-states.ts";
import type { Prepared } from "../session/recordings.ts";
import { carriedLabel, type RecordingPlan, type RunContext } from "../session/run-context.ts";
import type { Session } from "../session/session.ts";
import type { Shape } from "../tensor/shape.ts";
import { disposedError, framePlan, recordFrames } from "./frames.ts";

/** So many steps of all rows, one step of some rows, or the states with which the model lets rows begin. */
type Kind = number | "some rows" | "first states";

export class DeviceRecordings {
  private readonly made = new Map<Kind, Promise<Prepared>>();
  private readonly programs: Program[] = [];
  /** The memory of the states, by label: all recordings go on from the same. */
  private readonly buffers = new Map<string, DeviceBuffer>();
  private freed = false;

  constructor(
    readonly session: Session,
    private readonly features: Shape,
    readonly batch: number,
  ) {}

  /** @throws RnnError `option` if they are freed meanwhile */
  of(kind: Kind): Promise<Prepared> {
    const known = this.made.get(kind);
    if (known) return known;
    const made = this.make(kind);
    this.made.set(kind, made);
    made.catch(() => this.made.delete(kind));
    return made;
  }

  private async make(kind: Kind): Promise<Prepared> {
    const { session, buffers } = this;
    const plan = this.plan(typeof kind === "number" ? kind : 1);
    const [suited, finish]: [RecordingPlan, (context: RunContext) => void] =
      kind === "first states"
        ? [{ ...plan, states: { kind: "zero" } }, (context) => keepFirstStates(context, true)]
        : [kind === "some rows" ? { ...plan, steps: "lengths" } : plan, recordFrames];
    const prepared = await session.make(suited, finish, (label, { type, length }) => {
      const buffer = buffers.get(label) ?? session.backend.createBuffer(label, type, length);
      buffers.set(label, buffer);
      return buffer;
    });
    if (this.freed) {
      prepared.program.free();
      throw disposedError();
    }
    this.programs.push(prepared.program);
    return prepared;
  }

  /** A recording of whole sequences, which begins as `forward` does. It is not kept: the caller frees its program. */
  whole(steps: number): Promise<Prepared> {
    return this.session.make({ ...this.plan(steps), states: { kind: "zero" } }, recordFrames);
  }

  private plan(steps: number): RecordingPlan {
    return framePlan(this.session.model, this.features, steps, this.batch);
  }

  /** The memory of a state, by its path. */
  memoryOf(path: string): DeviceBuffer {
    return this.buffers.get(carriedLabel(path))!;
  }

  free(): void {
    this.freed = true;
    for (const program of this.programs) program.free();
    for (const buffer of this.buffers.values()) this.session.backend.free(buffer);
  }
}
