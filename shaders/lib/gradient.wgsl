// The gradient that an optimiser sees: scaled by the norm's clip, then clipped by value, plus the L2 penalty's share.
fn effectiveGradient(gradient: f32, parameter: f32, scale: f32, clipValue: f32, weightDecay: f32) -> f32 {
  var g = gradient * scale;
  if (clipValue > 0.0) { g = clamp(g, -clipValue, clipValue); }
  return fma(weightDecay, parameter, g);
}

// Whether the step may be taken. If so its parameters, whose loss was finite, are remembered; if not, they come back.
fn healthy(i: u32) -> bool {
  if (norm[2] == 0.0) {
    parameters[i] = lastGood[i];
    return false;
  }
  lastGood[i] = parameters[i];
  return true;
}
