// Sums of squares: a workgroup takes every groups-th block of 64 gradients.
struct Params { length: u32, groups: u32 }
@group(0) @binding(0) var<storage, read> gradients: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var i = group.x * 64u + thread; i < params.length; i += params.groups * 64u) { sum = fma(gradients[i], gradients[i], sum); }
  sum = rowSum(sum, thread, 64u);
  if (thread == 0u) { partial[group.x] = sum; }
}
