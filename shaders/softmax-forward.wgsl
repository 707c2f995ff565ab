// Softmax or log-softmax of each row, shifted by the row's maximum; a workgroup owns a row.
struct Params { rows: u32, columns: u32, log: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = groupIndex(group, groups);
  if (row >= params.rows) { return; }
  let at = row * params.columns;
  var greatest = -3.4e38;
  for (var column = thread; column < params.columns; column += 64u) { greatest = max(greatest, x[at + column]); }
  greatest = foldMax(greatest, thread, 64u);
  var sum = 0.0;
  for (var column = thread; column < params.columns; column += 64u) { sum += safeExp(x[at + column] - greatest); }
  sum = foldSum(sum, thread, 64u);
  let logSum = log(sum);
  for (var column = thread; column < params.columns; column += 64u) {
    let shifted = x[at + column] - greatest;
    if (params.log != 0u) { y[at + column] = shifted - logSum; } else { y[at + column] = safeExp(shifted) / sum; }
  }
}
