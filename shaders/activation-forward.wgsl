// y = σ(x), tanh(x) or max(0, x), element by element.
struct Params { length: u32, kind: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.length) { return; }
  switch params.kind {
    case 0u: { y[i] = sigmoid(x[i]); }
    case 1u: { y[i] = safeTanh(x[i]); }
    default: { y[i] = max(x[i], 0.0); }
  }
}
