/**
 * Optimisers over one flat buffer of all parameters, by PyTorch's update rules.
 *
 * What changes from step to step comes through buffers, so that a recording need not change: `control` from the
 * host, `norm` from the gradient-norm kernel. While norm's `healthy` is 0 no step is taken: the parameters become the
 * last ones whose loss was finite, which each healthy step leaves in `lastGood`.
 */
import type { NumericArray } from "../tensor/tensor.ts";
import { defineKernel, elementGroups, type Binding } from "./kernel.ts";

const vector = (access: Binding["access"], shape = "[length]"): Binding => ({ access, type: "f32", shape });
const parameters = vector("read_write");
const gradients = vector("read");
const lastGood = vector("read_write", "[length]; parameters before the last healthy step");
const norm = vector("read", "[4]: norm, scale, healthy, 0");
/** firstStep is 1 in the first step, else 0. */
const control = vector("read", "[4]: learningRate, 0, 0, firstStep");
const workgroups = ({ length }: { length: number }) => elementGroups(length);

/** g times the norm's scale, clipped to ±clipValue (0: not clipped), plus weightDecay · θ. */
function effectiveGradient(gradient: number, parameter: number, scale: number, clipValue: number, weightDecay: number): number {
  const g = gradient * scale;
  return weightDecay * parameter + (clipValue > 0 ? Math.min(Math.max(g, -clipValue), clipValue) : g);
}

/** Whether the step may be taken; remembers or restores the parameters. */
function healthy(parameters: NumericArray, lastGood: NumericArray, norm: NumericArray, length: number): boolean {
  const [from, to] = norm[2] === 0 ? [lastGood, parameters] : [parameters, lastGood];
  for (let i = 0; i < length; i++) to[i] = from[i];
  return norm[2] !== 0;
}

/**
 * v = momentum·v + (1 - dampening)·g, but v = g in the first step;  θ -= learningRate · v, or with Nesterov's
 * momentum θ -= learningRate · (g + momentum·v).  Without momentum v is not touched and θ -= learningRate · g.
 */
export const sgd = defineKernel({
  name: "sgd",
  sources: ["lib/linear-index", "lib/gradient", "sgd"],
  bindings: { parameters, gradients, lastGood, velocity: vector("read_write", "[length]; unused without momentum"), norm, control },
  params: { length: "u32", momentum: "f32", dampening: "f32", nesterov: "u32", weightDecay: "f32", clipValue: "f32" },
  workgroups,
  twin({ parameters, gradients, lastGood, velocity, norm, control }, { length, momentum, dampening, nesterov, weightDecay, clipValue }) {
    if (!healthy(parameters, lastGood, norm, length)) return;
    for (let i = 0; i < length; i++) {
      const parameter = parameters[i];
      let g = effectiveGradient(gradients[i], parameter, norm[1], clipValue, weightDecay);
      if (momentum !== 0) {
        const v = control[3] === 0 ? momentum * velocity[i] + (1 - dampening) * g : g;
        velocity[i] = v;
        g = nesterov ? g + momentum * v : v;
      }
      parameters[i] = parameter - control[0] * g;
    }
  },
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
    parameters, gradients, lastGood,
    squareAverage: vector("read_write"),
    gradientAverage: vector("read_write", "[length]; unused unless centered"),
    velocity: vector("read_write", "[length]; unused without momentum"),
    norm, control,
  },
  params: { length: "u32", alpha: "f32", eps: "f32", momentum: "f32", centered: "u32", weightDecay: "f32", clipValue: "f32" },
  workgroups,
  twin({ parameters, gradients, lastGood, squareAverage, gradientAverage, velocity, norm, control }, { length, alpha, eps, momentum, centered, weightDecay, clipValue }) {
    if (!healthy(parameters, lastGood, norm, length)) return;
    for (let i = 0; i < length; i++) {
      const parameter = parameters[i];
      const g = effectiveGradient(gradients[i], parameter, norm[1], clipValue, weightDecay);
      const square = alpha * squareAverage[i] + (1 - alpha) * g * g;
      squareAverage[i] = square;
      let variance = square;
      if (centered) {
        const average = alpha * gradientAverage[i] + (1 - alpha) * g;
        gradientAverage[i] = average;
        variance = Math.max(square - average * average, 0);
      }
      let update = g / (Math.sqrt(variance) + eps);
      if (momentum !== 0) {
        update += momentum * velocity[i];
        velocity[i] = update;
      }
      parameters[i] = parameter - control[0] * update;
    }
  },
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
    parameters, gradients, lastGood, firstMoment: vector("read_write"), secondMoment: vector("read_write"), norm,
    control: vector("read", "[4]: learningRate, momentFactor, biasCorrection2, gradientFactor"),
  },
  params: { length: "u32", beta1: "f32", beta2: "f32", eps: "f32", weightDecay: "f32", decoupled: "u32", clipValue: "f32" },
  workgroups,
  twin({ parameters, gradients, lastGood, firstMoment, secondMoment, norm, control }, { length, beta1, beta2, eps, weightDecay, decoupled, clipValue }) {
    if (!healthy(parameters, lastGood, norm, length)) return;
    const [learningRate, momentFactor, biasCorrection2, gradientFactor] = control;
    for (let i = 0; i < length; i++) {
      let parameter = parameters[i];
      let penalty = weightDecay;
      if (decoupled) {
        parameter -= learningRate * weightDecay * parameter;
        penalty = 0;
      }
      const g = effectiveGradient(gradients[i], parameter, norm[1], clipValue, penalty);
      const m = beta1 * firstMoment[i] + (1 - beta1) * g;
      const v = beta2 * secondMoment[i] + (1 - beta2) * g * g;
      firstMoment[i] = m;
      secondMoment[i] = v;
      parameters[i] = parameter - (learningRate * (momentFactor * m + gradientFactor * g)) / (Math.sqrt(v / biasCorrection2) + eps);
    }
  },
});
