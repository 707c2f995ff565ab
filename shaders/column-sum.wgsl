// sums_c (+)= Σ_r x_rc. A workgroup owns up to 16 neighbouring columns (fewer if there are fewer); its 256 threads
// split the rows among them, then add up by halves. So one column keeps as many threads busy as many columns do.
struct Params { rows: u32, columns: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
var<workgroup> partial: array<f32, 256>;        // [shares, width]

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  // The power of two that holds the columns, at most 16; columnWidth in src/kernels/column-sum.ts.
  let width = 1u << min(4u, 32u - countLeadingZeros(params.columns - 1u));
  let column = group.x * width + thread % width;
  var sum = 0.0;
  if (column < params.columns) {
    for (var row = thread / width; row < params.rows; row += 256u / width) { sum += x[row * params.columns + column]; }
  }
  partial[thread] = sum;
  workgroupBarrier();
  for (var half = 128u; half >= width; half /= 2u) {
    if (thread < half) { partial[thread] += partial[thread + half]; }
    workgroupBarrier();
  }
  if (thread >= width || column >= params.columns) { return; }
  sum = partial[thread];
  if (params.accumulate != 0u) { sum += sums[column]; }
  sums[column] = sum;
}
