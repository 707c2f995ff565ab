// C = A·B by tiles of 32 x 32: a workgroup of 8 x 8 threads stages 32 x 16 of A and 16 x 32 of B in workgroup
// memory (element by element, so that any stride and size will do), then each thread adds 4 rows by one vec4.
const tile = 32u;
const depth = 16u;
var<workgroup> tileA: array<f32, 512>;          // [depth, tile]: a column of A is contiguous
var<workgroup> tileB: array<vec4<f32>, 128>;    // [depth, tile / 4]

fn elementA(i: u32, m: u32, k: u32) -> f32 {
  if (m >= params.M || k >= params.K) { return 0.0; }
  return a[params.aOffset + i * params.aBatch + m * params.aRow + k * params.aColumn];
}

fn elementB(i: u32, k: u32, n: u32) -> f32 {
  if (k >= params.K || n >= params.N) { return 0.0; }
  return b[params.bOffset + i * params.bBatch + k * params.bRow + n * params.bColumn];
}

fn stage(i: u32, m0: u32, n0: u32, k0: u32, thread: u32) {
  for (var e = thread; e < tile * depth; e += 64u) {
    // Neighbouring threads follow the contiguous direction of A, so that their loads fall into one cache line.
    var m = e % tile;
    var k = e / tile;
    if (params.aColumn == 1u) { m = e / depth; k = e % depth; }
    tileA[k * tile + m] = elementA(i, m0 + m, k0 + k);
  }
  for (var e = thread; e < tile * depth / 4u; e += 64u) {
    let k = k0 + e / (tile / 4u);
    let n = n0 + (e % (tile / 4u)) * 4u;
    tileB[e] = vec4(elementB(i, k, n), elementB(i, k, n + 1u), elementB(i, k, n + 2u), elementB(i, k, n + 3u));
  }
}

fn storeRow(i: u32, m: u32, n: u32, sum: vec4<f32>) {
  store(i, m, n, sum.x);
  store(i, m, n + 1u, sum.y);
  store(i, m, n + 2u, sum.z);
  store(i, m, n + 3u, sum.w);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let m0 = group.y * tile;
  let n0 = group.x * tile;
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  for (var k0 = 0u; k0 < params.K; k0 += depth) {
    stage(group.z, m0, n0, k0, thread);
    workgroupBarrier();
    for (var k = 0u; k < depth; k++) {
      let row = tileB[k * (tile / 4u) + local.x];
      let at = k * tile + local.y * 4u;
      sum0 = fma(vec4(tileA[at]), row, sum0);
      sum1 = fma(vec4(tileA[at + 1u]), row, sum1);
      sum2 = fma(vec4(tileA[at + 2u]), row, sum2);
      sum3 = fma(vec4(tileA[at + 3u]), row, sum3);
    }
    workgroupBarrier();
  }
  let m = m0 + local.y * 4u;
  let n = n0 + local.x * 4u;
  storeRow(group.z, m, n, sum0);
  storeRow(group.z, m + 1u, n, sum1);
  storeRow(group.z, m + 2u, n, sum2);
  storeRow(group.z, m + 3u, n, sum3);
}
