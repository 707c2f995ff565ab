// dx (+)= y * (dy - Σ dy*y) for softmax, dy - e^y * Σ dy for log-softmax; a workgroup owns a row.
struct Params { rows: u32, columns: u32, log: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = groupIndex(group, groups);
  if (row >= params.rows) { return; }
  let at = row * params.columns;
  var sum = 0.0;
  for (var column = thread; column < params.columns; column += 64u) {
    if (params.log != 0u) { sum += dy[at + column]; } else { sum += dy[at + column] * y[at + column]; }
  }
  sum = foldSum(sum, thread, 64u);
  for (var column = thread; column < params.columns; column += 64u) {
    let i = at + column;
    var value = y[i] * (dy[i] - sum);
    if (params.log != 0u) { value = dy[i] - safeExp(y[i]) * sum; }
    if (params.accumulate != 0u) { value += dx[i]; }
    dx[i] = value;
  }
}
