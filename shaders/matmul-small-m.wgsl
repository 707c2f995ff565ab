// C = A·B for few rows: a workgroup computes 8 columns of one row. 8 threads share each sum over K, then add up their
// parts.
var<workgroup> partial: array<f32, 64>;         // [8 columns, 8 shares]

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let m = group.y;
  let i = group.z;
  let n = group.x * 8u + local.y;
  var sum = 0.0;
  if (n < params.N) {
    for (var k = local.x; k < params.K; k += 8u) { sum = fma(elementA(i, m, k), elementB(i, k, n), sum); }
  }
  partial[local.y * 8u + local.x] = sum;
  workgroupBarrier();
  if (local.x != 0u) { return; }
  for (var share = 1u; share < 8u; share++) { sum += partial[local.y * 8u + share]; }
  store(i, m, n, sum);
}
