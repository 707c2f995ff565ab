// Sums of squares: a workgroup adds up every groups-th block of 256 gradients.
struct Params { length: u32, groups: u32 }
@group(0) @binding(0) var<storage, read> gradients: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var i = group.x * 256u + thread; i < params.length; i += params.groups * 256u) { sum = fma(gradients[i], gradients[i], sum); }
  sum = foldSum(sum, thread, 256u);
  if (thread == 0u) { partial[group.x] = sum; }
}
