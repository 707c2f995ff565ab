// The gradient of the units' own parameters: for the gates in `before` from c_{t-1}, for those in `after` from c_t; for the
// others it is 0. A workgroup owns 16 neighbouring numbers; its threads split the rows among them, then fold by
// halves, as in column-sum.wgsl.
struct Params { rows: u32, H: u32, G: u32, cPrevious: u32, cCurrent: u32, before: u32, after: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> dGates: array<f32>;
@group(0) @binding(1) var<storage, read> c: array<f32>;
@group(0) @binding(2) var<storage, read_write> dOwn: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
var<workgroup> partial: array<f32, 256>;  // [16 shares, 16 numbers]

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let column = group.x * 16u + thread % 16u;
  let columns = params.H * params.G;
  let gate = column % params.G;
  let seesBefore = ((params.before >> gate) & 1u) != 0u;
  let sees = seesBefore || ((params.after >> gate) & 1u) != 0u;
  let first = select(params.cCurrent, params.cPrevious, seesBefore);
  var sum = 0.0;
  if (sees && column < columns) {
    for (var row = thread / 16u; row < params.rows; row += 16u) {
      sum += dGates[row * columns + column] * c[first + row * params.H + column / params.G];
    }
  }
  partial[thread] = sum;
  workgroupBarrier();
  for (var half = 128u; half >= 16u; half /= 2u) {
    if (thread < half) { partial[thread] += partial[thread + half]; }
    workgroupBarrier();
  }
  if (thread >= 16u || column >= columns) { return; }
  sum = partial[thread];
  if (params.accumulate != 0u) { sum += dOwn[column]; }
  dOwn[column] = sum;
}
