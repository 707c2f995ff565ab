// Packs the recurrent weights for both passes before the first step. The forward weights get the bias in row `biasRow`.
// If the input is gathered, rows of a table are copied too. A thread copies one element. Each unit reads the `fanIn`
// units of its head, and has `width` numbers in a packed row, of which its gates fill the first G.
struct Params { H: u32, G: u32, width: u32, fanIn: u32, biasRow: u32, useBias: u32, backward: u32, rows: u32, columns: u32, firstId: u32 }
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
  let weights = params.fanIn * params.H * params.G;
  let packed = weights + params.H * params.G;
  if (index < weights) {
    let g = index % params.G;
    let j = (index / params.G) % params.H;
    let k = index / (params.G * params.H);
    let inHead = j % params.fanIn;
    let at = (k * params.H + j) * params.width + g;
    forwardWeights[at] = weight[(j * params.G + g) * params.fanIn + k];
    if (params.backward != 0u) { backwardWeights[at] = weight[((j - inHead + k) * params.G + g) * params.fanIn + inHead]; }
    return;
  }
  if (index < packed) {
    let i = index - weights;
    let at = (params.biasRow * params.H + i / params.G) * params.width + i % params.G;
    if (params.useBias != 0u) { forwardWeights[at] = bias[i]; } else { forwardWeights[at] = 0.0; }
    return;
  }
  let at = index - packed;
  if (at < params.rows * params.columns) {
    gathered[at] = table[ids[params.firstId + at / params.columns] * params.columns + at % params.columns];
  }
}
