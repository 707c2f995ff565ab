// dx (+)= dy at the place of the greatest or least element along an axis, else 0.
struct Params { outer: u32, size: u32, inner: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> places: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = linearIndex(group, groups, thread);
  if (at >= params.outer * params.size * params.inner) { return; }
  let n = at % params.inner;
  let i = (at / params.inner) % params.size;
  let row = at / (params.inner * params.size) * params.inner + n;
  var value = select(0.0, dy[row], u32(places[row]) == i);
  if (params.accumulate != 0u) { value += dx[at]; }
  dx[at] = value;
}
