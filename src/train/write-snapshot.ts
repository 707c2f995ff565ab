/** Continues a training from a snapshot: one of a checkpoint, or a copy for the device that replaces a lost one. */
import type { Parameter } from "../nn/parameter.ts";
import type { Shape } from "../tensor/shape.ts";
import type { FloatArray, Tensor } from "../tensor/tensor.ts";
import type { OptimizerState } from "./optimizer-state.ts";
import type { Capture, Snapshot, TrainingState } from "./training-state.ts";

/** A snapshot whose numbers may be of any type. */
type Written = Pick<Snapshot, "step" | "updates" | "carried"> & {
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly optimizer: Readonly<Record<string, Tensor>>;
};

/** Continues from this snapshot. */
export function writeSnapshot(state: TrainingState, { step, updates, parameters, optimizer, carried }: Written): void {
  writeHost(state, { step, parameters });
  writeSlots(state.optimizer, optimizer);
  state.optimizer.updates = new Map(
    state.session.store.learnable.map(({ path }) => [path, Object.hasOwn(updates, path) ? updates[path] : step]),
  );
  state.carried.write(carried);
}

/** Restores parameters and step on the host only, without a device. */
export function writeHost(state: TrainingState, { step, parameters }: Pick<Written, "step" | "parameters">): void {
  state.training.model.loadStateDict(parameters);
  state.step = step;
  const { parametersByPath, frozen } = state.session.store;
  state.versions = new Map([...parametersByPath.values()].map((parameter) => [parameter, parameter.version]));
  state.frozen = frozen;
}

/** A capture of a snapshot that has just been written. */
export function captured({ session, versions, frozen }: TrainingState, snapshot: Snapshot): Capture {
  const paths = new Map([...session.store.parametersByPath].map(([path, parameter]) => [parameter, path]));
  const parameters = (parameter: Parameter): FloatArray => parameter.permuteToDevice(snapshot.parameters[paths.get(parameter)!].data);
  return { step: snapshot.step, parameters, snapshot: () => snapshot, versions, frozen };
}

/** Shapes of the optimiser's state, by `<slot>.<parameter>`. */
export function slotShapes(optimizer: OptimizerState): Map<string, Shape> {
  const { learnable } = optimizer.session.store;
  return new Map(optimizer.usedSlots().flatMap((slot) => learnable.map(({ path, parameter }) => [`${slot}.${path}`, parameter.shape])));
}

/** @param values the optimiser's state, by `<slot>.<parameter>` */
export function writeSlots(optimizer: OptimizerState, values: Readonly<Record<string, Tensor>>): void {
  const { store, backend } = optimizer.session;
  for (const slot of optimizer.usedSlots()) {
    const flat = backend.floats(store.trainedLength);
    for (const { path, parameter, offset } of store.learnable)
      flat.set(parameter.permuteToDevice(values[`${slot}.${path}`].data as FloatArray), offset);
    backend.write(optimizer.slotBuffer(slot), flat);
  }
}
