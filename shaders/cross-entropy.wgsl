// Cross-entropy of logits with class indices, and its gradient; eight or 64 threads share a row.
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
  let share = rowShare(params.columns);
  let row = groupIndex(group, groups) * (64u / share) + thread / share;
  // A thread without a row must reach the barriers too; it has no columns.
  let columns = select(0u, params.columns, row < params.rows);
  let at = row * params.columns;
  let first = thread % share;
  var greatest = -3.4e38;
  for (var column = first; column < columns; column += share) { greatest = max(greatest, logits[at + column]); }
  greatest = rowMax(greatest, thread, share);
  var sum = 0.0;
  for (var column = first; column < columns; column += share) { sum += safeExp(logits[at + column] - greatest); }
  sum = rowSum(sum, thread, share);
  if (row >= params.rows) { return; }
  let label = targets[row];
  let weight = select(weights[row], 0.0, label == params.ignoreIndex);
  // Padding may hold anything: a row without weight gives exact zeros whatever its logits are.
  if (weight == 0.0) {
    for (var column = first; column < columns; column += share) { dLogits[at + column] = 0.0; }
    if (first == 0u) { losses[row] = 0.0; }
    return;
  }
  let scale = weight * normalizer[1];
  for (var column = first; column < columns; column += share) {
    let probability = safeExp(logits[at + column] - greatest) / sum;
    dLogits[at + column] = scale * (probability - select(0.0, 1.0, i32(column) == label));
  }
  if (first == 0u) { losses[row] = weight * (greatest - logits[at + u32(label)] + log(sum)); }
}
