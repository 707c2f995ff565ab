// y_tb (+)= x_tb while t < lengths_b, else 0.
struct Params { T: u32, B: u32, H: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.T * params.B * params.H) { return; }
  let row = (i / params.H) % params.B;
  let t = i / (params.H * params.B);
  var value = select(0.0, x[i], t < lengths[row]);
  if (params.accumulate != 0u) { value += y[i]; }
  y[i] = value;
}
