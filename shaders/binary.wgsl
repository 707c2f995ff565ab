// y (+)= a + b or a * b over a 4-D index space; the last index varies fastest over the threads.
struct Params {
  size0: u32, size1: u32, size2: u32, size3: u32,
  a0: u32, a1: u32, a2: u32, a3: u32,
  b0: u32, b1: u32, b2: u32, b3: u32,
  kind: u32, accumulate: u32,
}
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = linearIndex(group, groups, thread);
  if (at >= params.size0 * params.size1 * params.size2 * params.size3) { return; }
  let l = at % params.size3;
  let k = (at / params.size3) % params.size2;
  let j = (at / (params.size3 * params.size2)) % params.size1;
  let i = at / (params.size3 * params.size2 * params.size1);
  let left = a[i * params.a0 + j * params.a1 + k * params.a2 + l * params.a3];
  let right = b[i * params.b0 + j * params.b1 + k * params.b2 + l * params.b3];
  var value = left + right;
  if (params.kind == 1u) { value = left * right; }
  if (params.accumulate != 0u) { value += y[at]; }
  y[at] = value;
}
