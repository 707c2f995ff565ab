// Means and variances that batch normalisation keeps for inference, for each of the first `keptSteps` steps. Later
// steps share the last.

// The place of statistic n of a unit and a step: means and variances of both sides come first, then those of the memory.
fn runningAt(step: u32, n: u32, unit: u32) -> u32 {
  let rows = 4u * gateCount + select(0u, 2u, normalizesMemory);
  return (min(step, params.keptSteps - 1u) * rows + n) * params.H + unit;
}
fn runningOf(step: u32, n: u32, unit: u32) -> vec4<f32> {
  var v = vec4<f32>();
  for (var g = 0u; g < gateCount; g++) { v[g] = running[runningAt(step, n * gateCount + g, unit)]; }
  return v;
}
// Ignores a batch that is not finite, and one of a single row, whose variance says nothing.
fn keep(at: u32, value: f32, n: f32) {
  if (isFinite(value) && n > 1.0) { running[at] += params.momentum * (value - running[at]); }
}
fn keepSide(step: u32, first: u32, unit: u32, mean: vec4<f32>, variance: vec4<f32>, n: f32) {
  for (var g = 0u; g < gateCount; g++) {
    keep(runningAt(step, first * gateCount + g, unit), mean[g], n);
    keep(runningAt(step, (first + 1u) * gateCount + g, unit), variance[g] * n / max(n - 1.0, 1.0), n);
  }
}
