// Cross-entropy of logits with class indices, and its gradient; a workgroup owns a row.
struct Params { rows: u32, columns: u32, ignoreIndex: i32 }
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> normalizer: array<f32>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read_write> dLogits: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = groupIndex(group, groups);
  if (row >= params.rows) { return; }
  let at = row * params.columns;
  var greatest = -3.4e38;
  for (var column = thread; column < params.columns; column += 64u) { greatest = max(greatest, logits[at + column]); }
  greatest = foldMax(greatest, thread, 64u);
  var sum = 0.0;
  for (var column = thread; column < params.columns; column += 64u) { sum += safeExp(logits[at + column] - greatest); }
  sum = foldSum(sum, thread, 64u);
  let label = targets[row];
  let weight = select(weights[row], 0.0, label == params.ignoreIndex);
  // Padding may hold anything: a row without weight gives exact zeros whatever its logits are.
  if (weight == 0.0) {
    for (var column = thread; column < params.columns; column += 64u) { dLogits[at + column] = 0.0; }
    if (thread == 0u) { losses[row] = 0.0; }
    return;
  }
  let scale = weight * normalizer[1];
  for (var column = thread; column < params.columns; column += 64u) {
    let probability = safeExp(logits[at + column] - greatest) / sum;
    dLogits[at + column] = scale * (probability - select(0.0, 1.0, i32(column) == label));
  }
  if (thread == 0u) { losses[row] = weight * (greatest - logits[at + u32(label)] + log(sum)); }
}
