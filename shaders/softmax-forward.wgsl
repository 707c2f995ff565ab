// Softmax or log-softmax of each row, shifted by the row's maximum; eight or 64 threads share a row.
struct Params { rows: u32, columns: u32, log: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
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
  for (var column = first; column < columns; column += share) { greatest = max(greatest, x[at + column]); }
  greatest = rowMax(greatest, thread, share);
  var sum = 0.0;
  for (var column = first; column < columns; column += share) { sum += safeExp(x[at + column] - greatest); }
  sum = rowSum(sum, thread, share);
  let logSum = log(sum);
  for (var column = first; column < columns; column += share) {
    let shifted = x[at + column] - greatest;
    if (params.log != 0u) { y[at + column] = shifted - logSum; } else { y[at + column] = safeExp(shifted) / sum; }
  }
}
