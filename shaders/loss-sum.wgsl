// The reported loss: Σ losses times the normaliser's scale; a single workgroup.
struct Params { length: u32 }
@group(0) @binding(0) var<storage, read> losses: array<f32>;
@group(0) @binding(1) var<storage, read> normalizer: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var i = thread; i < params.length; i += 256u) { sum += losses[i]; }
  sum = foldSum(sum, thread);
  if (thread == 0u) { loss[0] = normalizer[1] * sum; }
}
