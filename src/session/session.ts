/** A model on a backend: records it for each shape and mode, and keeps the recordings. */
import type { Backend, DeviceBuffer, Fill, PrepareOptions, Program, RunResult } from "../backend/backend.ts";
import { RnnError, show } from "../errors.ts";
import { hasMethods, isA } from "../options.ts";
import { Module } from "../nn/module.ts";
import type { Buffer } from "../recording/recording.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import { Part } from "../part.ts";
import { derivatives, halves, profiles } from "../recurrent/parts.ts";
import { ParameterStore } from "./parameter-store.ts";
import type { Reading } from "./reading.ts";
import { Recordings, type Lent, type Prepared } from "./recordings.ts";
import { RunContext, type RecordingPlan } from "./run-context.ts";

const fitting = new Part('storage: "float16"', () => import("./check-halves.ts"));

/** Returns the memory of an external buffer; called once for each recording. */
export type MemoryFor = (label: string, buffer: Buffer) => DeviceBuffer;

/** Options of a run. */
export interface RunParts {
  /** How often the commands run in one submit (default once). */
  readonly repeat?: number;
  /** True if the run changes parameters or running statistics (default false). */
  readonly changes?: boolean;
  /** True if it reads recurrent weights in half precision. */
  readonly halves?: boolean;
  /** Read the parameters of an earlier moment (default: the present ones). */
  readonly reading?: Reading;
  /** Arrays that receive downloads, by name. */
  readonly into?: Readonly<Record<string, NumericArray>>;
  /**
   * Called right before and right after the run, in the same turn. `before` may return copies and clears to do first.
   */
  readonly before?: () => readonly Fill[];
  readonly after?: () => void;
}

/** Sessions by backend and model. Their memory on the device is freed when nobody holds the model, or the backend. */
const sessions = new WeakMap<Backend, WeakMap<Module, Session>>();

/** Methods that every backend has. */
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

  private constructor(
    readonly model: Module,
    readonly backend: Backend,
  ) {
    this.store = new ParameterStore(model, backend);
  }

  /** The session of this model on this backend. */
  static of(model: Module, backend: Backend): Session {
    let known = sessions.get(backend);
    let session = known?.get(model);
    if (!session) checkParts(model, backend);
    model.checkUsable();
    if (!session) {
      if (!known) sessions.set(backend, (known = new WeakMap()));
      known.set(model, (session = new Session(model, backend)));
      model.dependants.add(session);
    }
    return session;
  }

  /**
   * A session that shares no memory with the model's own. To run, it needs `values` for the parameters. The caller
   * frees its store.
   */
  static apart(model: Module, backend: Backend, values?: Readonly<Record<string, Tensor<FloatArray>>>): Session {
    const session = new Session(model, backend);
    if (values) session.store.write(values);
    return session;
  }

  /**
   * The recording for `plan`. The first time, `finish` completes it; `key` must differ if `finish` records something
   * else. The caller holds it until `release`.
   * @param memoryFor returns the memory of the context's external buffers
   */
  prepare(key: string, plan: RecordingPlan, finish: (context: RunContext) => void, memoryFor?: MemoryFor): Promise<Lent> {
    return this.recordings.lend(`${key} ${JSON.stringify(plan)} ${plan.differentiates ? this.store.frozen : ""}`, () =>
      this.make(plan, finish, memoryFor),
    );
  }

  /**
   * Records and prepares, but does not keep the recording.
   * @param suited the backend for whose device ops choose kernels (default: the session's)
   */
  async make(
    plan: RecordingPlan,
    finish: (context: RunContext) => void,
    memoryFor?: MemoryFor,
    options?: PrepareOptions,
    suited?: Backend,
  ): Promise<Prepared> {
    const context = await this.record(plan, finish, suited);
    const { store } = this;
    store.users++;
    try {
      return { context, program: await this.backend.prepare(context.recording, this.memoryOf(context, memoryFor), options) };
    } catch (error) {
      store.release();
      throw error;
    }
  }

  /** The memory of a context's external buffers. All recordings share the parameters; the caller may have its own for gradients. */
  memoryOf(context: RunContext, memoryFor?: MemoryFor): Map<Buffer, DeviceBuffer> {
    const memory = new Map<Buffer, DeviceBuffer>();
    for (const [label, { buffer }] of context.externals) {
      const known = label === "parameters" ? this.store.parameters : (memoryFor?.(label, buffer) ?? this.store.memoryOf(label));
      if (!known) throw new RnnError("device", label, "has no memory");
      memory.set(buffer, known);
    }
    return memory;
  }

  /** Runs a program on the model's present parameters, in one turn: readers see all of it or nothing. */
  async run(
    program: Program,
    inputs: Readonly<Record<string, NumericArray>>,
    { repeat, changes = false, halves = false, reading, into, before, after }: RunParts = {},
  ): Promise<RunResult> {
    const { store } = this;
    // Wait outside the turn, so that the turn is short.
    const checks = halves ? await fitting.load() : undefined;
    const room = await program.reserve();
    try {
      return await store.inTurn(async () => {
        if (!reading && store.isStale) await store.sync();
        checks?.checkHalves(store);
        if (changes) store.readings?.copyForReaders();
        const first = before?.();
        const run = (): Promise<RunResult> => program.run(inputs, { repeat, room, moment: reading?.moment ?? store.moment, first, into });
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

  /** Records without preparing anything on the device; at once, if all code is there. */
  async record(plan: RecordingPlan, finish: (context: RunContext) => void, suited = this.backend): Promise<RunContext> {
    const code: Part<unknown>[] = [
      ...this.model.furtherCode,
      ...(plan.storage === "float16" ? [halves] : []),
      ...(plan.differentiates ? [derivatives] : []),
      ...(suited.profile ? [profiles] : []),
    ];
    const missing = code.filter(({ now }) => !now);
    if (missing.length > 0) {
      // Parameters that are frozen at the moment of the call get no gradient.
      plan = { ...plan, learnt: plan.learnt ?? this.store.learnt };
      await Promise.all(missing.map((part) => part.load()));
    }
    return this.recordNow(plan, finish, suited);
  }

  /** The same at once: all code that the model needs must be there. */
  recordNow(plan: RecordingPlan, finish: (context: RunContext) => void, suited = this.backend): RunContext {
    const context = new RunContext(this.model, this.store, plan, suited);
    finish(context);
    context.recording.close();
    return context;
  }

  /** Frees the model's memory here at once: a caller that still uses it gets an error. */
  dispose(): void {
    this.recordings.dispose();
    this.store.free();
  }
}
