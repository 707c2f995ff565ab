// [Σ weights of the rows that count, what the sum of losses is multiplied by]; a single workgroup.
struct Params { rows: u32, ignoreIndex: i32, useTargets: u32, mean: u32 }
@group(0) @binding(0) var<storage, read> targets: array<i32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> normalizer: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var row = thread; row < params.rows; row += 256u) {
    var counts = true;
    if (params.useTargets != 0u) { counts = targets[row] != params.ignoreIndex; }
    if (counts) { sum += weights[row]; }
  }
  sum = foldSum(sum, thread);
  if (thread != 0u) { return; }
  normalizer[0] = sum;
  var scale = 1.0;
  if (params.mean != 0u) { if (sum == 0.0) { scale = 0.0; } else { scale = 1.0 / sum; } }
  normalizer[1] = scale;
}
