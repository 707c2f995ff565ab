/** Where a model meets a backend: records per shape and mode, keeps what it has recorded. */
import type { Backend, DeviceBuffer, Fill, PrepareOptions, Program, RunResult } from "../backend/backend.ts";
import { RnnError, show } from "../errors.ts";
import { hasMethods, isA } from "../options.ts";
import { Module } from "../nn/module.ts";
import type { Buffer } from "../recording/recording.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import { memoryOf, type MemoryUse } from "./memory.ts";
import { ParameterStore } from "./parameter-store.ts";
import type { Reading } from "./reading.ts";
import { inTurn } from "../nn/turns.ts";
import { Recordings, type Lent, type Prepared } from "./recordings.ts";
import { RunContext, type RecordingPlan } from "./run-context.ts";

/** Gives the memory behind an external buffer; asked once a recording. */
export type MemoryFor = (label: string, buffer: Buffer) => DeviceBuffer;

/** What a run is besides its commands. */
export interface RunParts {
  /** How often the commands run in the one submit (default once). */
  readonly repeat?: number;
  /** Whether it changes parameters or statistics (default false). */
  readonly changes?: boolean;
  /** Whether it keeps recurrent weights in half precision. */
  readonly halves?: boolean;
  /** The parameters of an earlier moment that it reads (default: those of its turn). */
  readonly reading?: Reading;
  /** What comes right before and right after it, in the same turn; `before` may say what memory the run is to begin with. */
  readonly before?: () => readonly Fill[];
  readonly after?: () => void;
}

/** Sessions by backend and model. What they have on the device is freed when nobody holds it: with the model, or the backend. */
const sessions = new WeakMap<Backend, WeakMap<Module, Session>>();

/** What everybody calls of a backend. */
const backendMethods = ["prepare", "createBuffer", "free", "write", "read", "floats", "check"];

/** @throws RnnError `option` unless `backend` is one */
export function checkBackend(backend: unknown, where = "backend"): void {
  if (!hasMethods(backend, ...backendMethods))
    throw new RnnError("option", where, `${where === "backend" ? "" : "backend "}must come from createBackend, got ${show(backend)}`);
}

/** @throws RnnError `option` unless `model` is one */
export function checkModel(model: unknown): void {
  if (!isA(model, Module)) throw new RnnError("option", "model", `must be a Module, got ${show(model)}`);
}

/** @throws RnnError `option` unless these are a model and a backend */
export function checkParts(model: unknown, backend: unknown): void {
  checkModel(model);
  checkBackend(backend);
}

export class Session {
  readonly store: ParameterStore;
  private readonly recordings = new Recordings();
  /** Recordings that are being made, and those that have been. */
  private making = 0;
  private made = 0;

  private constructor(
    readonly model: Module,
    readonly backend: Backend,
  ) {
    this.store = new ParameterStore(model, backend);
  }

  /** The session of this model on this backend. */
  static of(model: Module, backend: Backend): Session {
    checkParts(model, backend);
    model.checkUsable();
    let known = sessions.get(backend);
    if (!known) sessions.set(backend, (known = new WeakMap()));
    let session = known.get(model);
    if (!session) {
      known.set(model, (session = new Session(model, backend)));
      model.dependants.add(session);
    }
    return session;
  }

  /**
   * A session that shares no memory with the model's own, over these values of the parameters if it is to run. Whoever
   * made it frees its store.
   */
  static apart(model: Module, backend: Backend, values?: Readonly<Record<string, Tensor<FloatArray>>>): Session {
    const session = new Session(model, backend);
    if (values) session.store.write(values);
    return session;
  }

  /**
   * The recording for `plan`, completed by `finish` the first time; `key` tells apart what `finish` does. It is the
   * caller's until `release`.
   * @param memoryFor gives the memory behind the context's externals
   */
  prepare(key: string, plan: RecordingPlan, finish: (context: RunContext) => void, memoryFor?: MemoryFor): Promise<Lent> {
    return this.recordings.lend(`${key} ${JSON.stringify(plan)} ${plan.differentiates ? this.store.frozen : ""}`, () =>
      this.make(plan, finish, memoryFor),
    );
  }

  /**
   * Records without keeping: for verification and for printing.
   * @param suited the backend whose device decides between what computes the same (default: the session's)
   */
  async make(
    plan: RecordingPlan,
    finish: (context: RunContext) => void,
    memoryFor?: MemoryFor,
    options?: PrepareOptions,
    suited?: Backend,
  ): Promise<Prepared> {
    const context = this.record(plan, finish, suited);
    this.making++;
    try {
      const memory = new Map<Buffer, DeviceBuffer>();
      for (const [label, { buffer }] of context.externals) {
        // The parameters are one for all; gradients are the caller's, if it has memory for them.
        const known = label === "parameters" ? this.store.parameters : (memoryFor?.(label, buffer) ?? this.store.memoryOf(label));
        if (!known) throw new RnnError("device", label, "has no memory");
        memory.set(buffer, known);
      }
      const program = await this.backend.prepare(context.recording, memory, options);
      this.made++;
      return { context, program };
    } finally {
      // What the device has refused leaves nothing.
      if (--this.making === 0 && this.made === 0) this.store.clear();
    }
  }

  /** Readings of several models' parameters, all of one moment. To be closed. */
  static readings(sessions: readonly Session[]): Promise<Reading[]> {
    const stores = sessions.map(({ store }) => store);
    return inTurn(new Set(stores.flatMap(({ things }) => things)), async () => {
      await Promise.all(stores.map((store) => store.fetch()));
      return stores.map((store) => {
        store.upload();
        return store.readings.add(store.moment);
      });
    });
  }

  /** Does something in several pieces that all read the parameters of one moment. */
  static async whileReading<T>(sessions: readonly Session[], read: (...readings: Reading[]) => Promise<T>): Promise<T> {
    const readings = await Session.readings(sessions);
    try {
      return await read(...readings);
    } finally {
      for (const reading of readings) reading.close();
    }
  }

  /** Runs a program on the model's present parameters, in one turn: whoever reads sees all of it or nothing. */
  async run(
    program: Program,
    inputs: Readonly<Record<string, NumericArray>>,
    { repeat, changes = false, halves = false, reading, before, after }: RunParts = {},
  ): Promise<RunResult> {
    const { store } = this;
    // Waited for outside the turn, which is then short.
    const room = await program.reserve();
    try {
      return await store.inTurn(async () => {
        if (!reading) await store.sync();
        if (halves) store.checkHalves();
        if (changes) store.readings.keep();
        const first = before?.();
        const run = (): Promise<RunResult> => program.run(inputs, { repeat, room, moment: reading?.moment ?? store.moment, first });
        const result = await (reading ? reading.run(run) : run());
        if (changes) store.changed();
        after?.();
        return result;
      });
    } catch (error) {
      room.release();
      throw error;
    }
  }

  /** Records, and makes nothing on the device. */
  record(plan: RecordingPlan, finish: (context: RunContext) => void, suited = this.backend): RunContext {
    const context = new RunContext(this.model, this.store, plan, suited);
    finish(context);
    return context;
  }

  /** What the recording will take on the device. */
  plannedMemory(plan: RecordingPlan, finish: (context: RunContext) => void): MemoryUse {
    return memoryOf(this.record(plan, finish).recording, this.backend.precision === "float64" ? 8 : 4);
  }

  /** Frees what the model has here, at once: whatever still uses it gets an error. */
  dispose(): void {
    this.recordings.dispose();
    this.store.free();
  }
}
