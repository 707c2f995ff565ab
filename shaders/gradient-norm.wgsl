// The loss, and from gradients or sums of their squares [norm, scale, healthy, keeps]; a single workgroup.
struct Params { length: u32, squared: u32, rows: u32, maxNorm: f32, mostNorm: f32 }
@group(0) @binding(0) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read> normalizer: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> norm: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  var lossShare = 0.0;
  for (var row = thread; row < params.rows; row += 256u) { lossShare += losses[row]; }
  let lossTotal = normalizer[1] * foldSum(lossShare, thread);
  var sums = vec4<f32>();
  for (var i = thread; i < params.length / 4u; i += 256u) {
    let four = values[i];
    sums = fma(four, select(four, vec4(1.0), params.squared != 0u), sums);
  }
  let total = foldSum(dot(sums, vec4(1.0)), thread);
  if (thread != 0u) { return; }
  loss[0] = lossTotal;
  norm[0] = sqrt(total);
  let healthy = norm[2] != 0.0 && isFinite(total) && isFinite(lossTotal) && (params.mostNorm == 0.0 || sqrt(total) <= params.mostNorm);
  var scale = 0.0;
  if (healthy) {
    scale = 1.0;
    if (params.maxNorm > 0.0) { scale = min(1.0, params.maxNorm / (sqrt(total) + 1e-6)); }
  }
  norm[1] = scale;
  norm[2] = select(0.0, 1.0, healthy);
  if (healthy) { norm[3] = 1.0; }
}
