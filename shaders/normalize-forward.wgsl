// Gives each row mean 0 and variance 1; eight or 64 threads share a row.
struct Params { rows: u32, columns: u32, eps: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> variances: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let share = rowShare(params.columns);
  let row = groupIndex(group, groups) * (64u / share) + thread / share;
  // A thread without a row must reach the barriers too; it has no columns.
  let columns = select(0u, params.columns, row < params.rows);
  let at = row * params.columns;
  let first = thread % share;
  var sum = 0.0;
  for (var column = first; column < columns; column += share) { sum += x[at + column]; }
  let mean = rowSum(sum, thread, share) / f32(params.columns);
  var squares = 0.0;
  for (var column = first; column < columns; column += share) {
    let distance = x[at + column] - mean;
    squares += distance * distance;
  }
  let variance = rowSum(squares, thread, share) / f32(params.columns);
  for (var column = first; column < columns; column += share) { y[at + column] = (x[at + column] - mean) / sqrt(variance + params.eps); }
  if (columns > 0u && first == 0u) {
    means[row] = mean;
    variances[row] = variance;
  }
}
