/** Computes the steps of a model that lives here, by recordings that are made when they are first needed. */
import type { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import type { CpuBuffer } from "../backend/cpu/cpu-buffer.ts";
import type { CpuProgram } from "../backend/cpu/cpu-program.ts";
import type { Module } from "../nn/module.ts";
import type { View } from "../recording/recording.ts";
import type { ParameterStore } from "../session/parameter-store.ts";
import { carriedLabel, type RecordingPlan, type RunContext } from "../session/run-context.ts";
import { Session } from "../session/session.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { FloatArray, NumericArray } from "../tensor/tensor.ts";
import type { Executor, Ready, StateMemory } from "./executor.ts";
import { firstStates, type FirstStates } from "./first-states.ts";
import { recordFrames, runsTogether } from "./frames.ts";

/** How to record so many steps of so many rows. */
export interface PlanOf {
  (steps: number, rows: number): RecordingPlan;
  /** False if a recording can have one step only. */
  readonly canRunTogether: boolean;
}

interface StateBuffer extends StateMemory {
  readonly buffer: CpuBuffer;
}

class ReadyProgram implements Ready {
  from!: NumericArray;
  to!: NumericArray;
  /** The generation of the memory to which `from` and `to` belong. */
  private generation = -1;

  constructor(
    readonly program: CpuProgram,
    private readonly input: View,
    private readonly output: View,
    readonly states: readonly StateBuffer[],
    private readonly store: ParameterStore,
  ) {
    this.refresh();
  }

  /** Finds the arrays again if the memory has grown. */
  refresh(): void {
    const generation = this.program.ready();
    if (generation === this.generation) return;
    this.generation = generation;
    this.from = this.program.arrayOf(this.input);
    this.to = this.program.arrayOf(this.output);
  }

  run(): void {
    this.program.runNow(this.store.moment);
  }
}

export class ModelExecutor implements Executor {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly ids: number | undefined;
  readonly runsTogether: boolean;
  readonly one: ReadyProgram;
  /** Recordings of several steps of all rows, by number of steps, and of one step of some rows, by number of rows. */
  private readonly longer: ReadyProgram[] = [];
  private readonly smaller: ReadyProgram[] = [];
  private fetching = false;
  private problem: Error | undefined;
  private freed = false;

  private constructor(
    model: Module,
    private readonly backend: CpuBackend,
    readonly session: Session,
    context: RunContext,
    private readonly planOf: PlanOf,
    readonly batch: number,
    /** What sequences begin with, if not with zeros. */
    readonly first: FirstStates | undefined,
  ) {
    this.inputSize = sizeOf(context.input.shape) / batch;
    this.outputSize = sizeOf(context.output.shape) / batch;
    this.ids = model.idCount;
    this.runsTogether = planOf.canRunTogether && runsTogether(model, context.output.shape, batch);
    this.one = this.prepare(context);
  }

  static async create(model: Module, backend: CpuBackend, planOf: PlanOf, batch: number): Promise<ModelExecutor> {
    model.checkUsable();
    const session = Session.apart(model, backend);
    let first: FirstStates | undefined;
    try {
      const context = await session.record(planOf(1, batch), recordFrames);
      await backend.load(context.recording);
      first = await firstStates(session, backend, planOf(1, 1), context);
      await session.store.inTurn(() => session.store.sync());
      return new ModelExecutor(model, backend, session, context, planOf, batch, first);
    } catch (error) {
      first?.program.free();
      session.dispose();
      throw error;
    }
  }

  several(steps: number): ReadyProgram {
    return (this.longer[steps] ??= this.prepare(this.record(steps, this.batch), this.one.states));
  }

  some(rows: number): ReadyProgram {
    return (this.smaller[rows] ??= this.prepare(this.record(1, rows)));
  }

  firstOf(path: string): FloatArray | undefined {
    return this.first?.of(path);
  }

  /**
   * Takes changed parameters, and finds the arrays again if the memory has grown.
   * @throws the error with which a device has failed to give changed parameters back
   */
  begin(ready: Ready): ReadonlyMap<string, FloatArray> | undefined {
    const { store } = this.session;
    if (this.problem !== undefined) {
      const { problem } = this;
      this.problem = undefined;
      throw problem;
    }
    if (store.isStale && !this.fetching && !store.syncNow()) this.fetch();
    const before = this.first?.take(store.moment);
    (ready as ReadyProgram).refresh();
    return before;
  }

  /** What `forward` gives for `frames` [steps, batch, inputSize]. */
  async whole(frames: Float32Array): Promise<NumericArray> {
    const steps = frames.length / this.batch / this.inputSize;
    const context = this.record(steps, this.batch, "zero");
    await this.backend.load(context.recording);
    const ready = this.prepare(context, []);
    try {
      this.begin(ready);
      ready.from.set(frames);
      ready.run();
      return ready.to.slice();
    } finally {
      ready.program.free();
    }
  }

  free(): void {
    this.freed = true;
    this.first?.program.free();
    // `flat` leaves out the numbers for which there is none.
    for (const { program, states } of [[this.one], this.longer, this.smaller].flat()) {
      program.free();
      for (const { buffer } of states) this.backend.free(buffer);
    }
    this.session.dispose();
  }

  /** Takes the parameters when the turns that go on are over, or when a device has given them back. */
  private fetch(): void {
    const { store } = this.session;
    this.fetching = true;
    store
      .inTurn(() => store.sync())
      .catch((error: unknown) => {
        if (!this.freed) this.problem = error as Error;
      })
      .finally(() => (this.fetching = false));
  }

  /** @param kind where sequences begin */
  record(steps: number, rows: number, kind: "carried" | "zero" = "carried"): RunContext {
    return this.session.recordNow({ ...this.planOf(steps, rows), states: { kind } }, recordFrames);
  }

  /** @param states where they are (default: in new memory) */
  private prepare(context: RunContext, states: readonly StateBuffer[] = this.statesFor(context)): ReadyProgram {
    const byLabel = new Map(states.map(({ path, buffer }) => [carriedLabel(path), buffer]));
    const memory = this.session.memoryOf(context, (label) => byLabel.get(label)!);
    const program = this.backend.prepareNow(context.recording, memory);
    return new ReadyProgram(program, context.input.view, context.output.view, states, this.session.store);
  }

  private statesFor({ states, externals }: RunContext): StateBuffer[] {
    return [...states].map(([path, { shape }]) => {
      const { label, length } = externals.get(carriedLabel(path))!.buffer;
      return { path, shape, buffer: this.backend.createBuffer(label, "f32", length) };
    });
  }
}
