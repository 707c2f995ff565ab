// Unpacks the numbers that to-half has packed. A thread unpacks one word.
struct Params { length: u32, width: u32 }
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let word = linearIndex(group, groups, thread);
  let words = (params.width + 1u) / 2u;
  let start = word / words * params.width;
  let at = start + word % words * 2u;
  if (at >= params.length) { return; }
  let pair = unpack2x16float(x[word]);
  y[at] = pair.x;
  if (at + 1u < min(params.length, start + params.width)) { y[at + 1u] = pair.y; }
}
