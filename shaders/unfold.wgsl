// Copies the windows of a sequence, [G, N, P, C/G, K]; outside of the sequence they hold a value.
struct Params {
  batch: u32, channels: u32, length: u32, groups: u32, positions: u32, taps: u32, stride: u32, dilation: u32, before: u32,
  xBatch: u32, xChannel: u32, xStep: u32, fill: f32, accumulate: u32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> windows: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = linearIndex(group, groups, thread);
  if (at >= params.batch * params.channels * params.positions * params.taps) { return; }
  let perGroup = params.channels / params.groups;
  let k = at % params.taps;
  var rest = at / params.taps;
  let inGroup = rest % perGroup;
  rest /= perGroup;
  let position = rest % params.positions;
  rest /= params.positions;
  let n = rest % params.batch;
  let c = rest / params.batch * perGroup + inGroup;
  // The step in the sequence with its padding.
  let step = position * params.stride + k * params.dilation;
  var value = params.fill;
  if (step >= params.before && step - params.before < params.length) {
    value = x[n * params.xBatch + c * params.xChannel + (step - params.before) * params.xStep];
  }
  if (params.accumulate != 0u) { value += windows[at]; }
  windows[at] = value;
}
