// Functions of one number by kind, numbered as in src/kernels/unary.ts; src/kernels/unary.twin.ts says what they are.
// Kinds below 11 are those of lib/functions.wgsl.

fn exponential(x: f32) -> f32 {
  if (x > 88.72283) { return infinity(); }
  return select(0.0, exp(max(x, -87.0)), x > -87.0);
}
// A polynomial below 1, where the other form would lose digits; then Abramowitz and Stegun 7.1.26, off by at most 1.5e-7.
fn errorFunction(x: f32) -> f32 {
  let size = min(abs(x), 6.0);
  let z = size * size;
  let p = fma(fma(fma(fma(fma(fma(fma(fma(fma(-1.6365845e-07, z, 1.6462114e-06), z, -1.4925650e-05), z, 1.2055333e-04), z, -8.5483270e-04), z, 5.2239776e-03), z, -2.6866171e-02), z, 1.1283792e-01), z, -3.7612639e-01), z, 1.1283792e+00);
  let t = 1.0 / fma(0.3275911, size, 1.0);
  let q = t * fma(fma(fma(fma(1.061405429, t, -1.453152027), t, 1.421413741), t, -0.284496736), t, 0.254829592);
  return sign(x) * select(1.0 - q * exp(-z), size * p, size < 1.0);
}
fn normalBelow(x: f32) -> f32 { return 0.5 * (1.0 + errorFunction(x * 0.70710678)); }
fn geluSlope(x: f32) -> f32 { return safeTanh(0.79788456 * (x + 0.044715 * x * x * x)); }

fn unaryValue(kind: u32, alpha: f32, beta: f32, x: f32) -> f32 {
  switch kind {
    case 11u, 12u: { if (x < 0.0) { return noNumber(); } return sqrt(x); }
    case 13u: { return exponential(x); }
    case 14u: { return logarithm(x); }
    case 15u: { return abs(x); }
    case 16u: { return 1.0 / x; }
    case 17u: { return errorFunction(x); }
    case 18u: { return x * normalBelow(x); }
    case 19u: { return 0.5 * x * (1.0 + geluSlope(x)); }
    case 20u: { return x * sigmoid(x); }
    case 21u: { return x * clamp(x / 6.0 + 0.5, 0.0, 1.0); }
    case 22u: { return beta * select(alpha * expMinusOne(min(x, 0.0)), x, x > 0.0); }
    case 23u: { return min(max(x, alpha), beta); }
    case 24u: { return sign(x); }
    case 25u: { return floor(x); }
    case 26u: { return ceil(x); }
    case 27u: { return round(x); }
    case 28u: { return select(0.0, 1.0, x == 0.0); }
    default: { return activate(kind, alpha, beta, x); }
  }
}
// ∂L/∂x from d = ∂L/∂y, x and its value y. Kinds from 24 on have none.
fn unaryGradient(kind: u32, alpha: f32, beta: f32, d: f32, x: f32, y: f32) -> f32 {
  switch kind {
    case 11u: { return d / (2.0 * y); }
    case 12u: { return select(d / (2.0 * y), 0.0, y == 0.0); }
    case 13u: { return d * y; }
    case 14u: { return d / x; }
    case 15u: { return d * sign(x); }
    case 16u: { return -d * y * y; }
    case 17u: { return d * 1.1283792 * exp(-min(x * x, 80.0)); }
    case 18u: { return d * (normalBelow(x) + x * 0.39894228 * exp(-min(0.5 * x * x, 80.0))); }
    case 19u: {
      let t = geluSlope(x);
      return 0.5 * d * (1.0 + t + x * (1.0 - t * t) * 0.79788456 * (1.0 + 0.134145 * x * x));
    }
    case 20u: { return d * sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))); }
    case 21u: { return d * select(select(1.0, x / 3.0 + 0.5, x < 3.0), 0.0, x <= -3.0); }
    case 22u: { return d * select(y + beta * alpha, beta, x > 0.0); }
    case 23u: { return select(0.0, d, x >= alpha && x <= beta); }
    case 24u, 25u, 26u, 27u, 28u: { return 0.0; }
    default: { return activationGradient(kind, alpha, beta, d, y); }
  }
}
