// y_n = weight[ids_{firstId+n}], element by element.
struct Params { rows: u32, columns: u32, firstId: u32 }
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.rows * params.columns) { return; }
  y[i] = weight[ids[params.firstId + i / params.columns] * params.columns + i % params.columns];
}
