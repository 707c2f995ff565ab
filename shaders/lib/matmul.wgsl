// Params, bias, result and the store shared by the matmul kernels; strides are explained in src/kernels/matmul.ts.
struct Params {
  M: u32, N: u32, K: u32, batch: u32,
  aOffset: u32, aBatch: u32, aRow: u32, aColumn: u32,
  bOffset: u32, bBatch: u32, bRow: u32, bColumn: u32,
  cOffset: u32, cBatch: u32, cRow: u32,
  useBias: u32, accumulate: u32,
}
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn store(i: u32, m: u32, n: u32, sum: f32) {
  if (m >= params.M || n >= params.N) { return; }
  let at = params.cOffset + i * params.cBatch + m * params.cRow + n;
  var value = sum;
  if (params.useBias != 0u) { value += bias[n]; }
  if (params.accumulate != 0u) { value += c[at]; }
  c[at] = value;
}
