/** The inputs of layers that share their dispatches. */
import type { Tape } from "../autodiff/tape.ts";
import type { View } from "../recording/recording.ts";
import { pack, type LaneInput, type PackedWeights, type RecurrentWeights } from "./input.ts";

/**
 * The input of a lane whose kernels read it from the lane below, step by step. Nothing is projected, and W is packed as
 * U is.
 * @param below the states of the lane below after each step, [T, B, H]
 */
export function stackedInput(
  tape: Tape,
  label: string,
  below: { readonly view: View; readonly offset: number },
  { inputWeight, inputBias, recurrentWeight, recurrentBias }: RecurrentWeights,
  packed: { readonly recurrent: PackedWeights; readonly input: Pick<PackedWeights, "forward" | "backward" | "H" | "width" | "biasRow"> },
  anyIds: View,
): LaneInput {
  return {
    project() {
      const from = [recurrentWeight, inputWeight, recurrentBias, inputBias, ...packed.recurrent.restOf].filter((v) => v !== undefined);
      tape.recording.derive(
        from.map(({ view }) => view),
        () => {
          if (recurrentWeight) pack(tape, label, recurrentWeight, recurrentBias, packed.recurrent, anyIds);
          packed.recurrent.rest();
          pack(tape, label, inputWeight, inputBias, packed.input, anyIds);
        },
      );
    },
    // The gradient of the lane below goes through the kernels too.
    product: { label, weight: inputWeight, bias: inputBias, factor: { view: () => below.view, offset: below.offset } },
  };
}
