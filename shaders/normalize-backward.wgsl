// The gradient of rows that were given mean 0 and variance 1; eight or 64 threads share a row.
struct Params { rows: u32, columns: u32, eps: f32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> variances: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
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
  var products = 0.0;
  for (var column = first; column < columns; column += share) {
    sum += dy[at + column];
    products += dy[at + column] * y[at + column];
  }
  let mean = rowSum(sum, thread, share) / f32(params.columns);
  let slope = rowSum(products, thread, share) / f32(params.columns);
  for (var column = first; column < columns; column += share) {
    let i = at + column;
    var value = (dy[i] - mean - y[i] * slope) / sqrt(variances[row] + params.eps);
    if (params.accumulate != 0u) { value += dx[i]; }
    dx[i] = value;
  }
}
