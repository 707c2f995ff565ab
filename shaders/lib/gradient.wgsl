// The gradient for an optimiser: scaled by the norm's clip, then clipped by value, plus the gradient of the L2 penalty.
fn effectiveGradient(gradient: f32, parameter: f32, scale: f32, clipValue: f32, weightDecay: f32) -> f32 {
  var g = gradient * scale;
  if (clipValue > 0.0) { g = clamp(g, -clipValue, clipValue); }
  return fma(weightDecay, parameter, g);
}

// The place in lastGood of element i of the first of `count` arrays; the next array's is 64 further on. Blocks of 64
// are interleaved.
fn keptAt(i: u32, count: u32) -> u32 { return i / 64u * 64u * (count - 1u) + i; }
// Whether the step may be taken. If so, the optimiser saves the old values first.
fn healthy() -> bool { return norm[2] != 0.0; }
// Whether there are saved values, which the optimiser restores if the step may not be taken.
fn restores() -> bool { return norm[3] != 0.0; }
