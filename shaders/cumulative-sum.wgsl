// Sums along an axis up to each element; a thread walks along the axis.
struct Params { outer: u32, size: u32, inner: u32, reverse: u32, exclusive: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = linearIndex(group, groups, thread);
  if (row >= params.outer * params.inner) { return; }
  let first = row / params.inner * params.size * params.inner + row % params.inner;
  var sum = 0.0;
  for (var step = 0u; step < params.size; step++) {
    let at = first + select(step, params.size - 1u - step, params.reverse != 0u) * params.inner;
    var value = select(sum + x[at], sum, params.exclusive != 0u);
    sum += x[at];
    if (params.accumulate != 0u) { value += y[at]; }
    y[at] = value;
  }
}
