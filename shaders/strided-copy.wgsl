// Copies a 3-D index space between two strided layouts; the last index varies fastest over the threads.
struct Params {
  size0: u32, size1: u32, size2: u32,
  fromOffset: u32, from0: u32, from1: u32, from2: u32,
  toOffset: u32, to0: u32, to1: u32, to2: u32,
  accumulate: u32,
}
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let index = linearIndex(group, groups, thread);
  if (index >= params.size0 * params.size1 * params.size2) { return; }
  let k = index % params.size2;
  let j = (index / params.size2) % params.size1;
  let i = index / (params.size2 * params.size1);
  let at = params.toOffset + i * params.to0 + j * params.to1 + k * params.to2;
  var value = input[params.fromOffset + i * params.from0 + j * params.from1 + k * params.from2];
  if (params.accumulate != 0u) { value += output[at]; }
  output[at] = value;
}
