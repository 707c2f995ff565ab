// What a recurrent layer needs copied before its first step: the recurrent weights as either pass reads them, with the
// bias behind those of the forward pass, and, if its input is gathered, rows of a table. A thread copies one element.
struct Params { H: u32, G: u32, useBias: u32, backward: u32, rows: u32, columns: u32, firstId: u32 }
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read_write> forwardWeights: array<f32>;
@group(0) @binding(3) var<storage, read_write> backwardWeights: array<f32>;
@group(0) @binding(4) var<storage, read> table: array<f32>;
@group(0) @binding(5) var<storage, read> ids: array<u32>;
@group(0) @binding(6) var<storage, read_write> gathered: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let index = linearIndex(group, groups, thread);
  let weights = params.H * params.H * params.G;
  let packed = weights + params.H * params.G;
  if (index < weights) {
    let g = index % params.G;
    let j = (index / params.G) % params.H;
    let k = index / (params.G * params.H);
    forwardWeights[index] = weight[(j * params.G + g) * params.H + k];
    if (params.backward != 0u) { backwardWeights[index] = weight[(k * params.G + g) * params.H + j]; }
    return;
  }
  if (index < packed) {
    if (params.useBias != 0u) { forwardWeights[index] = bias[index - weights]; } else { forwardWeights[index] = 0.0; }
    return;
  }
  let at = index - packed;
  if (at < params.rows * params.columns) {
    gathered[at] = table[ids[params.firstId + at / params.columns] * params.columns + at % params.columns];
  }
}
