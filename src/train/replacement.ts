/** Puts another backend in the place of a lost one: writes the copy there and runs the steps since then again. */
import type { Backend } from "../backend/backend.ts";
import { Breath } from "../backend/breathe.ts";
import { replaceBackend } from "../backend/replace-backend.ts";
import { RnnError } from "../errors.ts";
import { Parameter } from "../nn/parameter.ts";
import { checkBackend } from "../session/session.ts";
import type { FloatArray } from "../tensor/tensor.ts";
import type { Recovery } from "./recovery.ts";
import type { Outcome, Pending } from "./steps-in-flight.ts";
import type { TrainingState } from "./training-state.ts";
import { writeSnapshot } from "./write-snapshot.ts";

/** Steps in flight during a replay. */
const depth = 4;
/** So many devices lost without a successful step in between: the CPU takes over. */
const mostLosses = 2;

type Replayed = Map<Pending, Promise<Outcome>>;

export class Replacement {
  /** @param from the state on the lost backend */
  constructor(
    private readonly recovery: Recovery,
    private readonly from: TrainingState,
  ) {}

  /**
   * Continues after the last step submitted to the lost backend.
   * @returns the replayed steps with their outcomes, and why the backend was lost
   */
  async make(): Promise<{ state: TrainingState; reason: string; replayed: Replayed }> {
    const { from, recovery } = this;
    const reason = endOf(from.backend);
    if (!recovery.copy && from.step > 0) throw reason;
    const changed = await this.changedElsewhere(from);
    let backend = await this.next(from.backend);
    for (;;) {
      const state = recovery.stateOn(backend);
      try {
        const replayed = await this.replay(from.step, state);
        const later = new Set(state.changed);
        for (const [parameter, values] of changed) if (!later.has(parameter)) parameter.set(values);
        return { state, reason: reason.message, replayed };
      } catch (error) {
        if (recovery.isAboutChange(error)) {
          // The next replay runs without this change, which follows it.
          for (const [parameter, values] of await this.changedElsewhere(state)) changed.set(parameter, values);
          state.dispose();
        } else if (recovery.isLost(state)) backend = await this.next(backend);
        else throw error;
      }
    }
  }

  /** Values that someone else has given parameters since the last step of this state, if they are not lost with its device. */
  private changedElsewhere(state: TrainingState): Promise<Map<Parameter, FloatArray>> {
    const { store } = state.session;
    return store.inTurn(async () => {
      // Values on the lost device come from the latest copy. If that is this trainer's own, the replay gives newer ones.
      const own = this.recovery.copy?.parameters;
      const parameters = state.changed.filter(({ newest }) => newest !== store || store.fallback !== own);
      const values = await Parameter.readAll(parameters);
      return new Map(parameters.map((parameter, i) => [parameter, values[i]]));
    });
  }

  private async next(lost: Backend): Promise<Backend> {
    const losses = ++this.recovery.losses;
    const { backend } = this.recovery.options!;
    if (!backend) return replaceBackend(lost, losses < mostLosses);
    if (losses > mostLosses) throw endOf(lost);
    const next = await backend(lost);
    checkBackend(next);
    next.check();
    return next;
  }

  /** Restores the copy and runs the kept steps again, up to `steps` in all. */
  private async replay(steps: number, state: TrainingState): Promise<Replayed> {
    const { copy, stepsSinceCopy } = this.recovery;
    const replayed: Replayed = new Map();
    if (!copy) return replayed;
    writeSnapshot(state, copy.snapshot());
    await state.begin();
    const inFlight: Pending[] = [];
    /** Reports the oldest step. @returns true if its loss was finite */
    const settle = async (): Promise<boolean> => {
      const pending = inFlight.shift()!;
      const outcome = state.report(pending);
      replayed.set(pending, outcome);
      try {
        await outcome;
        return true;
      } catch (error) {
        // The caller that waits for that step gets the error about its loss.
        if (this.recovery.isLost(state)) throw error;
        return false;
      }
    };
    const breath = new Breath();
    breath.begin();
    while (state.step < steps) {
      const { batch, plan } = stepsSinceCopy.get(state.step)!;
      inFlight.push(await state.submit(batch, () => undefined, plan, true));
      if (inFlight.length >= depth && !(await settle())) return replayed;
      if (breath.isDue()) await breath.take();
    }
    while (inFlight.length > 0 && (await settle()));
    return replayed;
  }
}

/** The error of a backend that no longer works. */
function endOf(backend: Backend): RnnError {
  try {
    backend.check();
  } catch (error) {
    return error as RnnError;
  }
  return new RnnError("device", "Trainer", "the device is gone");
}
