// dx (+)= dy * f'(x), element by element, with the function by its kind.
struct Params { length: u32, kind: u32, alpha: f32, beta: f32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.length) { return; }
  var value = unaryGradient(params.kind, params.alpha, params.beta, dy[i], x[i], y[i]);
  if (params.accumulate != 0u) { value += dx[i]; }
  dx[i] = value;
}
