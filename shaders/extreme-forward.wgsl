// The greatest or least element along an axis, and the place of the first such one.
struct Params { outer: u32, size: u32, inner: u32, sign: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> places: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = linearIndex(group, groups, thread);
  if (at >= params.outer * params.inner) { return; }
  let first = at / params.inner * params.size * params.inner + at % params.inner;
  var place = 0u;
  var best = x[first];
  for (var i = 1u; i < params.size; i++) {
    let value = x[first + i * params.inner];
    if (params.sign * value > params.sign * best) {
      best = value;
      place = i;
    }
  }
  y[at] = best;
  places[at] = f32(place);
}
