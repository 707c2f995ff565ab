// Gradient of an LSTM's peepholes: of i and f from c_{t-1}, of o from c_t; g has none. A workgroup owns 16 neighbouring
// units; its threads split the rows among them, then fold by halves, as in column-sum.wgsl.
struct Params { rows: u32, H: u32, cPrevious: u32, cCurrent: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> dGates: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> c: array<f32>;
@group(0) @binding(2) var<storage, read_write> dPeepholes: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;
var<workgroup> partial: array<vec4<f32>, 256>;  // [16 shares, 16 units]

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = group.x * 16u + thread % 16u;
  var sum = vec4<f32>();
  if (unit < params.H) {
    for (var row = thread / 16u; row < params.rows; row += 16u) {
      let at = row * params.H + unit;
      let before = c[params.cPrevious + at];
      sum += dGates[at] * vec4(before, before, 0.0, c[params.cCurrent + at]);
    }
  }
  partial[thread] = sum;
  workgroupBarrier();
  for (var half = 128u; half >= 16u; half /= 2u) {
    if (thread < half) { partial[thread] += partial[thread + half]; }
    workgroupBarrier();
  }
  if (thread >= 16u || unit >= params.H) { return; }
  sum = partial[thread];
  if (params.accumulate != 0u) { sum += dPeepholes[unit]; }
  dPeepholes[unit] = sum;
}
