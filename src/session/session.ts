/** Where a model meets a backend: records per shape and mode, keeps what it has recorded. */
import type { Backend, DeviceBuffer, PrepareOptions, Program } from "../backend/backend.ts";
import { RnnError, show } from "../errors.ts";
import { Module } from "../nn/module.ts";
import type { Buffer } from "../recording/recording.ts";
import { ParameterStore } from "./parameter-store.ts";
import { RunContext, type RecordingPlan } from "./run-context.ts";

/** Gives the memory behind an external buffer; asked once a recording. */
export type MemoryFor = (label: string, buffer: Buffer) => DeviceBuffer;

/** A recording with its context and the program that runs it. */
export interface Prepared {
  readonly context: RunContext;
  readonly program: Program;
}

interface Abandoned {
  readonly store: ParameterStore;
  readonly prepared: Map<string, Promise<Prepared>>;
}

/** The sessions of one backend. */
class Sessions {
  readonly byModel = new WeakMap<Module, Session>();
  /**
   * Frees the device memory of models that nobody holds any more, since nobody is asked to dispose of them. One
   * registry per backend, which dies with it: what a registry holds, a backend among it, lives as long as the model.
   */
  readonly abandoned = new FinalizationRegistry<Abandoned>(({ store, prepared }) => {
    store.free();
    for (const one of prepared.values()) one.then(({ program }) => program.free(), () => undefined);
  });
}

const sessions = new WeakMap<Backend, Sessions>();

export class Session {
  readonly store: ParameterStore;
  private readonly prepared = new Map<string, Promise<Prepared>>();
  /** Recordings kept; a stream of ever new shapes must not fill the device. */
  private static readonly most = 16;

  private constructor(readonly model: Module, readonly backend: Backend) {
    this.store = new ParameterStore(model, backend);
  }

  /** The session of this model on this backend. */
  static of(model: Module, backend: Backend): Session {
    if (!(model instanceof Module)) throw new RnnError("option", "model", `must be a Module, got ${show(model)}`);
    if (typeof (backend as Backend | undefined)?.prepare !== "function") throw new RnnError("option", "backend", `must come from createBackend, got ${show(backend)}`);
    let known = sessions.get(backend);
    if (!known) sessions.set(backend, (known = new Sessions()));
    let session = known.byModel.get(model);
    if (!session) {
      known.byModel.set(model, (session = new Session(model, backend)));
      known.abandoned.register(model, { store: session.store, prepared: session.prepared });
    }
    return session;
  }

  /**
   * The recording for `plan`, completed by `finish` the first time; `key` tells apart what `finish` does.
   * @param memoryFor gives the memory behind the context's externals
   */
  async prepare(key: string, plan: RecordingPlan, finish: (context: RunContext) => void, memoryFor?: MemoryFor): Promise<Prepared> {
    const id = `${key} ${JSON.stringify(plan)}`;
    const known = this.prepared.get(id);
    if (known) {
      // The latest used stands last; the first is the one to go.
      this.prepared.delete(id);
      this.prepared.set(id, known);
      return known;
    }
    const made = this.make(plan, finish, memoryFor);
    this.prepared.set(id, made);
    made.catch(() => this.prepared.delete(id));
    await this.evict();
    return made;
  }

  /** Records without keeping: for verification and for printing. */
  async make(plan: RecordingPlan, finish: (context: RunContext) => void, memoryFor?: MemoryFor, options?: PrepareOptions): Promise<Prepared> {
    const context = new RunContext(this.model, this.store, plan);
    finish(context);
    const memory = new Map<Buffer, DeviceBuffer>([[context.parameters.buffer, this.store.parameters], [context.gradients.buffer, this.store.gradients]]);
    for (const [label, { buffer }] of context.externals) {
      if (!memoryFor) throw new RnnError("device", label, "has no memory");
      memory.set(buffer, memoryFor(label, buffer));
    }
    const program = await this.backend.prepare(context.recording, memory, options);
    return { context, program };
  }

  /** Frees the recordings whose key starts with `key`. */
  forget(key: string): void {
    for (const [id, old] of this.prepared) {
      if (!id.startsWith(`${key} `)) continue;
      this.prepared.delete(id);
      old.then(({ program }) => program.free(), () => undefined);
    }
  }

  private async evict(): Promise<void> {
    for (const [id, old] of [...this.prepared].slice(0, Math.max(0, this.prepared.size - Session.most))) {
      this.prepared.delete(id);
      (await old).program.free();
    }
  }
}
