/** Normalisations, and means over all of a signal. */
import { sizeOf } from "../../tensor/shape.ts";
import { fail } from "./graph.ts";
import { scalar } from "./host.ts";
import { axisOf, operand, range, simple, type Call, type Operator } from "./operator.ts";
import { meanOver } from "./reduce-operators.ts";
import { shapeOf, type Value } from "./values.ts";

/** One number for each channel, which is axis 1 of a value with this many axes. */
const ofChannels = ({ values }: Call, x: Value, rank: number): Value =>
  values.reshape(x, [sizeOf(shapeOf(x)), ...range(rank - 2).map(() => 1)]);

/** (x - mean) / √(variance + ε) over these axes, and 1 / √(variance + ε). */
function normalized(call: Call, x: Value, axes: readonly number[]): { y: Value; mean: Value; inverse: Value } {
  const { values } = call;
  const mean = meanOver(call, x, axes);
  const centred = values.pair("Sub", x, mean);
  const variance = meanOver(call, values.pair("Mul", centred, centred), axes);
  const inverse = inverseRoot(call, variance);
  return { y: values.pair("Mul", centred, inverse), mean, inverse };
}

/** 1 / √(variance + ε). */
function inverseRoot({ values, attributes }: Call, variance: Value): Value {
  const shifted = values.pair("Add", variance, scalar(attributes.number("epsilon", 1e-5), "float"));
  return values.pair("Pow", shifted, scalar(-0.5, "float"));
}

/** y = (x - mean) / √(variance + ε)·scale + B with running statistics, also while the model learns. */
function batchNormalization(call: Call): Value[] {
  const x = operand(call, 0);
  const rank = shapeOf(x).length;
  if (rank < 2) return fail(`its input must have channels in axis 1, got [${shapeOf(x).join(", ")}]`);
  if (call.attributes.number("training_mode", 0) !== 0) return fail("training_mode is not supported; export the model for inference");
  if (call.attributes.number("spatial", 1) === 0) return fail("spatial 0 is not supported");
  const { values } = call;
  const [scale, shift, mean, variance] = [1, 2, 3, 4].map((i) => operand(call, i));
  // One factor and one shift for each channel are computed before the signal is touched.
  const factor = values.pair("Mul", scale, inverseRoot(call, variance));
  const offset = values.pair("Sub", shift, values.pair("Mul", mean, factor));
  return [values.pair("Add", values.pair("Mul", x, ofChannels(call, factor, rank)), ofChannels(call, offset, rank))];
}

function layerNormalization(call: Call): Value[] {
  const x = operand(call, 0);
  const rank = shapeOf(x).length;
  const first = axisOf(call.attributes.number("axis", -1), rank);
  const { y, mean, inverse } = normalized(
    call,
    x,
    range(rank).filter((axis) => axis >= first),
  );
  const { values } = call;
  const scaled = values.pair("Mul", y, operand(call, 1));
  return [call.inputs[2] ? values.pair("Add", scaled, call.inputs[2]) : scaled, mean, inverse];
}

function instanceNormalization(call: Call): Value[] {
  const x = operand(call, 0);
  const rank = shapeOf(x).length;
  const { y } = normalized(call, x, range(rank).slice(2));
  const { values } = call;
  const scaled = values.pair("Mul", y, ofChannels(call, operand(call, 1), rank));
  return [values.pair("Add", scaled, ofChannels(call, operand(call, 2), rank))];
}

export const normOperators: Readonly<Record<string, Operator>> = {
  BatchNormalization: {
    attributes: ["epsilon", "momentum", "spatial", "training_mode"],
    weights: [1, 2, 3, 4],
    statistics: [3, 4],
    compute: batchNormalization,
  },
  LayerNormalization: { attributes: ["axis", "epsilon", "stash_type"], weights: [1, 2], compute: layerNormalization },
  InstanceNormalization: { attributes: ["epsilon"], weights: [1, 2], compute: instanceNormalization },
  GlobalAveragePool: simple((x, call) => meanOver(call, x, range(shapeOf(x).length).slice(2))),
};
