// C = A·B, one thread per element: simple enough to check by reading. The faster kernels are compared with it.
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let n = id.x;
  let m = id.y;
  let i = id.z;
  if (m >= params.M || n >= params.N) { return; }
  var sum = 0.0;
  for (var k = 0u; k < params.K; k++) { sum = fma(elementA(i, m, k), elementB(i, k, n), sum); }
  store(i, m, n, sum);
}
