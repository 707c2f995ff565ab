// Saturating functions clamp their arguments, because exp returns NaN for large ones on some drivers. Results have a
// small relative error everywhere, also near 0, where WGSL guarantees nothing for its own tanh. safeTanh is a
// polynomial (Cephes) up to 0.625 and uses exp beyond it.
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-clamp(x, -85.0, 85.0))); }
fn safeTanh(x: f32) -> f32 {
  let size = min(abs(x), 15.0);
  let e = exp(-2.0 * size);
  let z = size * size;
  let p = fma(fma(fma(fma(-5.70498872745e-3, z, 2.06390887954e-2), z, -5.37397155531e-2), z, 1.33314422036e-1), z, -3.33332819422e-1);
  return sign(x) * select((1.0 - e) / (1.0 + e), fma(p * z, size, size), size < 0.625);
}
fn safeExp(x: f32) -> f32 { return exp(clamp(x, -80.0, 80.0)); }
// A candidate above 0 (Feng et al. 2024): x + 0.5, or σ(x) where x is below 0; and its derivative from its value.
fn positive(x: f32) -> f32 { return select(sigmoid(x), x + 0.5, x >= 0.0); }
fn positiveSlope(y: f32) -> f32 { return select(y * (1.0 - y), 1.0, y >= 0.5); }
