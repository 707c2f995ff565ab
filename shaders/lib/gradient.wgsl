// The gradient that an optimiser sees: clipped by value, scaled by the norm's clip, plus the L2 penalty's share.
fn effectiveGradient(gradient: f32, parameter: f32, scale: f32, clipValue: f32, weightDecay: f32) -> f32 {
  var g = gradient;
  if (clipValue > 0.0) { g = clamp(g, -clipValue, clipValue); }
  return fma(weightDecay, parameter, g * scale);
}
