// The optimisers of src/kernels/optimizers.ts and the gradient's norm. `control` and `norm` are read at each call: they
// change from step to step. Differences such as 1 - beta come as arguments: computed here, in float32, they would lose digits.
import { clamp } from "./functions";
import { madd, storeFirst, sumOf } from "./lanes";

/** src/kernels/gradient-norm.ts: group g sums the squares of blocks g, g + groups, … of 64. */
export function gradientNormPartial(gradients: usize, partial: usize, length: usize, groups: usize): void {
  for (let group: usize = 0; group < groups; group++) {
    let sum = f32x4.splat(0);
    for (let block = group << 6; block < length; block += groups << 6) {
      const end = min(block + 64, length);
      let i = block;
      for (; i + 4 <= end; i += 4) {
        const g = v128.load(gradients + (i << 2));
        sum = madd(g, g, sum);
      }
      for (; i < end; i++) {
        const g = load<f32>(gradients + (i << 2));
        sum = f32x4.replace_lane(sum, 0, f32x4.extract_lane(sum, 0) + g * g);
      }
    }
    store<f32>(partial + (group << 2), sumOf(sum));
  }
}

/** Σ x, or Σ x², in float64 as the twins add: four vectors of sums, since an addition takes several cycles. */
function doubleSum(x: usize, length: usize, squares: bool): f64 {
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (; length >= 8; length -= 8) {
    const a = v128.load(x), b = v128.load(x, 16);
    let a0 = f64x2.promote_low_f32x4(a), a1 = f64x2.promote_low_f32x4(v128.shuffle<f32>(a, a, 2, 3, 0, 1));
    let b0 = f64x2.promote_low_f32x4(b), b1 = f64x2.promote_low_f32x4(v128.shuffle<f32>(b, b, 2, 3, 0, 1));
    if (squares) {
      a0 = f64x2.mul(a0, a0);
      a1 = f64x2.mul(a1, a1);
      b0 = f64x2.mul(b0, b0);
      b1 = f64x2.mul(b1, b1);
    }
    s0 = f64x2.add(s0, a0);
    s1 = f64x2.add(s1, a1);
    s2 = f64x2.add(s2, b0);
    s3 = f64x2.add(s3, b1);
    x += 32;
  }
  const all = f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3));
  let sum = f64x2.extract_lane(all, 0) + f64x2.extract_lane(all, 1);
  for (; length > 0; length--) {
    const value = <f64>load<f32>(x);
    sum += squares ? value * value : value;
    x += 4;
  }
  return sum;
}

/** src/kernels/gradient-norm.ts. A sum is rounded to float32 before it is looked at, so that it overflows where the shader's does. */
export function gradientNorm(
  values: usize, losses: usize, normalizer: usize, loss: usize, norm: usize,
  length: usize, squared: bool, rows: usize, maxNorm: f64, mostNorm: f64,
): void {
  const reported = <f32>(<f64>load<f32>(normalizer, 4) * doubleSum(losses, rows, false));
  const total = <f32>doubleSum(values, length, !squared);
  const root = sqrt<f32>(total);
  const healthy = load<f32>(norm, 8) != 0 && isFinite(total) && isFinite(reported) && (mostNorm == 0 || <f64>root <= mostNorm);
  store<f32>(loss, reported);
  store<f32>(norm, root);
  store<f32>(norm, healthy ? (maxNorm > 0 ? <f32>min<f64>(1, maxNorm / (sqrt<f64>(<f64>total) + 1e-6)) : 1) : 0, 4);
  store<f32>(norm, healthy ? 1 : 0, 8);
  if (healthy) store<f32>(norm, 1, 12);
}

const block: usize = 256;

/** Copies array `n` of `count` into `lastGood`, where blocks of the arrays alternate, or back from there. */
function keep(array: usize, lastGood: usize, n: usize, count: usize, length: usize, restores: bool): void {
  const bytes = length << 2;
  lastGood += n * block;
  for (let i: usize = 0; i < bytes; i += block) {
    const size = min(block, bytes - i);
    if (restores) memory.copy(array + i, lastGood, size);
    else memory.copy(lastGood, array + i, size);
    lastGood += count * block;
  }
}

/** Whether the step may be taken. Remembers or restores the parameters and the optimiser's arrays a, b, c (0: not in use). */
function healthy(parameters: usize, a: usize, b: usize, c: usize, lastGood: usize, norm: usize, length: usize): bool {
  const taken = load<f32>(norm, 8) != 0;
  if (!taken && load<f32>(norm, 12) == 0) return false;
  const count: usize = 1 + <usize>(a != 0) + <usize>(b != 0) + <usize>(c != 0);
  let n: usize = 0;
  keep(parameters, lastGood, n++, count, length, !taken);
  if (a) keep(a, lastGood, n++, count, length, !taken);
  if (b) keep(b, lastGood, n++, count, length, !taken);
  if (c) keep(c, lastGood, n, count, length, !taken);
  return taken;
}

@inline
function effectiveGradient(gradients: usize, parameter: v128, scale: f32, clipValue: f32, weightDecay: f32): v128 {
  let g = f32x4.mul(v128.load(gradients), f32x4.splat(scale));
  if (clipValue > 0) g = clamp(g, -clipValue, clipValue);
  return madd(parameter, f32x4.splat(weightDecay), g);
}

export function sgd(
  parameters: usize, gradients: usize, lastGood: usize, velocity: usize, norm: usize, control: usize,
  length: usize, momentum: f32, damped: f32, nesterov: bool, weightDecay: f32, clipValue: f32,
): void {
  if (!healthy(parameters, momentum != 0 ? velocity : 0, 0, 0, lastGood, norm, length)) return;
  const scale = load<f32>(norm, 4);
  const rate = f32x4.splat(-load<f32>(control));
  const first = load<f32>(control, 12) != 0;
  const inertia = f32x4.splat(momentum);
  const bytes = length << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const parameter = v128.load(parameters + i);
    let g = effectiveGradient(gradients + i, parameter, scale, clipValue, weightDecay);
    if (momentum != 0) {
      const v = first ? g : madd(inertia, v128.load(velocity + i), f32x4.mul(f32x4.splat(damped), g));
      storeFirst(velocity + i, v, (bytes - i) >> 2);
      g = nesterov ? madd(inertia, v, g) : v;
    }
    storeFirst(parameters + i, madd(rate, g, parameter), (bytes - i) >> 2);
  }
}

export function rmsprop(
  parameters: usize, gradients: usize, lastGood: usize, squareAverage: usize, gradientAverage: usize, velocity: usize, norm: usize, control: usize,
  length: usize, alpha: f32, fresh: f32, eps: f32, momentum: f32, centered: bool, weightDecay: f32, clipValue: f32,
): void {
  if (!healthy(parameters, squareAverage, centered ? gradientAverage : 0, momentum != 0 ? velocity : 0, lastGood, norm, length)) return;
  const scale = load<f32>(norm, 4);
  const rate = f32x4.splat(-load<f32>(control));
  const old = f32x4.splat(alpha), share = f32x4.splat(fresh);
  const bytes = length << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const left = (bytes - i) >> 2;
    const parameter = v128.load(parameters + i);
    const g = effectiveGradient(gradients + i, parameter, scale, clipValue, weightDecay);
    let variance = madd(old, v128.load(squareAverage + i), f32x4.mul(f32x4.mul(share, g), g));
    storeFirst(squareAverage + i, variance, left);
    if (centered) {
      const average = madd(old, v128.load(gradientAverage + i), f32x4.mul(share, g));
      storeFirst(gradientAverage + i, average, left);
      variance = f32x4.max(f32x4.sub(variance, f32x4.mul(average, average)), f32x4.splat(0));
    }
    let update = f32x4.div(g, f32x4.add(f32x4.sqrt(variance), f32x4.splat(eps)));
    if (momentum != 0) {
      update = madd(f32x4.splat(momentum), v128.load(velocity + i), update);
      storeFirst(velocity + i, update, left);
    }
    storeFirst(parameters + i, madd(rate, update, parameter), left);
  }
}

export function adam(
  parameters: usize, gradients: usize, lastGood: usize, firstMoment: usize, secondMoment: usize, norm: usize, control: usize,
  length: usize, beta1: f32, fresh1: f32, beta2: f32, fresh2: f32, eps: f32, weightDecay: f32, decoupled: bool, clipValue: f32,
): void {
  if (!healthy(parameters, firstMoment, secondMoment, 0, lastGood, norm, length)) return;
  const scale = load<f32>(norm, 4);
  const learningRate = load<f32>(control);
  const rate = f32x4.splat(-learningRate);
  const momentFactor = f32x4.splat(load<f32>(control, 4));
  const gradientFactor = f32x4.splat(load<f32>(control, 12));
  const correction2 = f32x4.splat(load<f32>(control, 8));
  const shrinkage = f32x4.splat(decoupled ? -learningRate * weightDecay : 0);
  const penalty: f32 = decoupled ? 0 : weightDecay;
  const bytes = length << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const left = (bytes - i) >> 2;
    let parameter = v128.load(parameters + i);
    parameter = madd(shrinkage, parameter, parameter);
    const g = effectiveGradient(gradients + i, parameter, scale, clipValue, penalty);
    const m = madd(f32x4.splat(beta1), v128.load(firstMoment + i), f32x4.mul(f32x4.splat(fresh1), g));
    const v = madd(f32x4.splat(beta2), v128.load(secondMoment + i), f32x4.mul(f32x4.mul(f32x4.splat(fresh2), g), g));
    storeFirst(firstMoment + i, m, left);
    storeFirst(secondMoment + i, v, left);
    const root = f32x4.sqrt(f32x4.div(v, correction2));
    const mixed = madd(gradientFactor, g, f32x4.mul(momentFactor, m));
    storeFirst(parameters + i, madd(rate, f32x4.div(mixed, f32x4.add(root, f32x4.splat(eps))), parameter), left);
  }
}
