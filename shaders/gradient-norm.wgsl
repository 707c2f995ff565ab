// From sums of squares to [norm, scale, healthy, 0]; a single workgroup.
struct Params { groups: u32, maxNorm: f32 }
@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read> loss: array<f32>;
@group(0) @binding(2) var<storage, read_write> norm: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  if (thread < params.groups) { sum = partial[thread]; }
  let total = foldSum(sum, thread);
  if (thread != 0u) { return; }
  norm[0] = sqrt(total);
  let healthy = norm[2] != 0.0 && isFinite(total) && isFinite(loss[0]);
  var scale = 0.0;
  if (healthy) {
    scale = 1.0;
    if (params.maxNorm > 0.0) { scale = min(1.0, params.maxNorm / (sqrt(total) + 1e-6)); }
  }
  norm[1] = scale;
  norm[2] = select(0.0, 1.0, healthy);
  norm[3] = 0.0;
}
