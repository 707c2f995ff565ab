// y = f(x), element by element, with the function by its kind.
struct Params { length: u32, kind: u32, alpha: f32, beta: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.length) { return; }
  y[i] = unaryValue(params.kind, params.alpha, params.beta, x[i]);
}
