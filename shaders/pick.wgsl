// y[o, i, n] (+)= the sum of x[o, source, n] over the list of sources of i, or a value where the list is empty.
struct Params { outer: u32, size: u32, inner: u32, count: u32, fill: f32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> sources: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = linearIndex(group, groups, thread);
  if (at >= params.outer * params.count * params.inner) { return; }
  let n = at % params.inner;
  let i = (at / params.inner) % params.count;
  let o = at / (params.inner * params.count);
  let end = starts[i + 1u];
  var value = select(0.0, params.fill, starts[i] == end);
  for (var s = starts[i]; s < end; s++) { value += x[(o * params.size + sources[s]) * params.inner + n]; }
  if (params.accumulate != 0u) { value += y[at]; }
  y[at] = value;
}
