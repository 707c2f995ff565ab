/**
 * Optimisers over one flat buffer of all parameters, by PyTorch's update rules.
 *
 * Numbers that change from step to step come through buffers, so that the recording need not change: `control` from the
 * host, `norm` from the gradient-norm kernel. While norm's `healthy` is 0, no step is taken: parameters and slots are
 * restored from `lastGood`, the values before the last healthy step.
 */
import { align, defineKernel, elementGroups, type Binding } from "./kernel.ts";

const parameters: Binding = { access: "read_write", type: "f32", shape: "[length]" };
const gradients: Binding = { access: "read", type: "f32", shape: "[length]" };
/**
 * One buffer for parameters and slots, because a kernel may bind only eight. They are interleaved in blocks of 64
 * elements, so that a part of the parameters corresponds to a part of it.
 */
const lastGood: Binding = {
  access: "read_write",
  type: "f32",
  shape: "[length / 64, 1 + slots in use, 64]; parameters and slots before the last healthy step",
};
const norm: Binding = { access: "read", type: "f32", shape: "[4]: norm, scale, healthy, whether lastGood holds something" };
/** firstStep is 1 in the first step, else 0. */
const control: Binding = { access: "read", type: "f32", shape: "[4]: learningRate, 0, 0, firstStep" };
const velocity: Binding = { access: "read_write", type: "f32", shape: "[length]; unused without momentum" };
const workgroups = ({ length }: { length: number }) => elementGroups(length);

/** Length of `lastGood` for this many parameters with this many slots in use. */
export const keptLength = (length: number, slots: number): number => align(length) * (1 + slots);

/**
 * v = momentum·v + (1 - dampening)·g, but v = g in the first step;  θ -= learningRate · v, or with Nesterov's
 * momentum θ -= learningRate · (g + momentum·v).  Without momentum v is not touched and θ -= learningRate · g.
 */
export const sgd = defineKernel({
  name: "sgd",
  sources: ["lib/linear-index", "lib/gradient", "sgd"],
  bindings: { parameters, gradients, lastGood, velocity, norm, control },
  params: { length: "u32", momentum: "f32", dampening: "f32", nesterov: "u32", weightDecay: "f32", clipValue: "f32" },
  workgroups,
});

/**
 * RMSprop (Hinton 2012), centred as in Graves 2013:
 * s = alpha·s + (1 - alpha)·g²;  a = alpha·a + (1 - alpha)·g if centred, else 0;
 * u = momentum·u + g / (√(s - a²) + eps);  θ -= learningRate · u.
 */
export const rmsprop = defineKernel({
  name: "rmsprop",
  sources: ["lib/linear-index", "lib/gradient", "rmsprop"],
  bindings: {
    parameters,
    gradients,
    lastGood,
    squareAverage: { access: "read_write", type: "f32", shape: "[length]" },
    gradientAverage: { access: "read_write", type: "f32", shape: "[length]; unused unless centered" },
    velocity,
    norm,
    control,
  },
  params: { length: "u32", alpha: "f32", eps: "f32", momentum: "f32", centered: "u32", weightDecay: "f32", clipValue: "f32" },
  workgroups,
});

/**
 * m = beta1·m + (1 - beta1)·g;  v = beta2·v + (1 - beta2)·g²;
 * θ -= learningRate · (momentFactor·m + gradientFactor·g) / (√(v / biasCorrection2) + eps).
 * Adam (Kingma & Ba 2015) has momentFactor 1 / (1 - beta1^step) and gradientFactor 0, NAdam (Dozat 2016) both; the host
 * computes them for each step, and biasCorrection2 = 1 - beta2^step. With `decoupled` 1 it is AdamW (Loshchilov & Hutter 2019): the decay shrinks θ itself and does not enter g.
 */
export const adam = defineKernel({
  name: "adam",
  sources: ["lib/linear-index", "lib/gradient", "adam"],
  bindings: {
    parameters,
    gradients,
    lastGood,
    firstMoment: { access: "read_write", type: "f32", shape: "[length]" },
    secondMoment: { access: "read_write", type: "f32", shape: "[length]" },
    norm,
    control: { access: "read", type: "f32", shape: "[4]: learningRate, momentFactor, biasCorrection2, gradientFactor" },
  },
  params: { length: "u32", beta1: "f32", beta2: "f32", eps: "f32", weightDecay: "f32", decoupled: "u32", clipValue: "f32" },
  workgroups,
});
