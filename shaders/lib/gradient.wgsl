// The gradient that an optimiser sees: scaled by the norm's clip, then clipped by value, plus the L2 penalty's share.
fn effectiveGradient(gradient: f32, parameter: f32, scale: f32, clipValue: f32, weightDecay: f32) -> f32 {
  var g = gradient * scale;
  if (clipValue > 0.0) { g = clamp(g, -clipValue, clipValue); }
  return fma(weightDecay, parameter, g);
}

// Where lastGood keeps element i of `count` arrays, and 64 further on that of the next: blocks of 64 side by side.
fn keptAt(i: u32, count: u32) -> u32 { return i / 64u * 64u * (count - 1u) + i; }
// Whether the step may be taken: if so what it changes is kept, if not it comes back, unless nothing has been kept yet.
fn healthy() -> bool { return norm[2] != 0.0; }
fn restores() -> bool { return norm[3] != 0.0; }
