// words: for each row, where its bits begin; then the bits of all rows, one for each step, set if `mask` has the step.
struct Params { T: u32, B: u32 }
@group(0) @binding(0) var<storage, read> mask: array<f32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  let each = (params.T + 31u) / 32u;
  if (i >= params.B * each) { return; }
  let row = i / each;
  let firstStep = (i % each) * 32u;
  var bits = 0u;
  for (var bit = 0u; bit < min(32u, params.T - firstStep); bit++) {
    if (mask[row * params.T + firstStep + bit] != 0.0) { bits |= 1u << bit; }
  }
  words[params.B + i] = bits;
  if (firstStep == 0u) { words[row] = 0x80000000u + params.B + i; }
}
