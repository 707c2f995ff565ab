// Adds up windows, [G, N, P, C/G, K], into the sequence that they are of.
struct Params {
  batch: u32, channels: u32, length: u32, groups: u32, positions: u32, taps: u32, stride: u32, dilation: u32, before: u32,
  xBatch: u32, xChannel: u32, xStep: u32, fill: f32, accumulate: u32,
}
@group(0) @binding(0) var<storage, read> windows: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let index = linearIndex(group, groups, thread);
  if (index >= params.batch * params.channels * params.length) { return; }
  let perGroup = params.channels / params.groups;
  let l = index % params.length;
  let c = (index / params.length) % params.channels;
  let n = index / (params.length * params.channels);
  let row = (c / perGroup * params.batch + n) * params.positions;
  var value = 0.0;
  for (var k = 0u; k < params.taps; k++) {
    let step = l + params.before;
    if (step < k * params.dilation) { break; }
    let start = step - k * params.dilation;
    if (start % params.stride == 0u && start / params.stride < params.positions) {
      value += windows[((row + start / params.stride) * perGroup + c % perGroup) * params.taps + k];
    }
  }
  let at = n * params.xBatch + c * params.xChannel + l * params.xStep;
  if (params.accumulate != 0u) { value += x[at]; }
  x[at] = value;
}
