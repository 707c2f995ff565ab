// y[o, i, n] (+)= x[o, i + shift, n], or 0 outside of x; the shift is the row's length less `before`.
struct Params { rows: u32, outer: u32, size: u32, inner: u32, count: u32, before: u32, back: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = linearIndex(group, groups, thread);
  if (at >= params.outer * params.count * params.inner) { return; }
  let n = at % params.inner;
  let i = i32((at / params.inner) % params.count);
  let outer = at / params.inner / params.count;
  let shift = i32(lengths[outer / (params.outer / params.rows)]) - i32(params.before);
  let place = select(i + shift, i - shift, params.back != 0u);
  var value = 0.0;
  if (place >= 0 && u32(place) < params.size) { value = x[(outer * params.size + u32(place)) * params.inner + n]; }
  if (params.accumulate != 0u) { value += y[at]; }
  y[at] = value;
}
