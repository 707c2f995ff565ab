// C = A·B in registers, without workgroup memory: a thread adds up 8 x 8 elements of C (4 x 4 if not `large`), four
// k at a time. Blocks are mat4x4 whose columns are rows of A and of B, so that b * a is the block of A·B, and a
// compiler sees 256 independent multiply-adds for 16 loads. The two halves of a thread's columns lie half a tile
// apart, so that neighbouring threads read and write neighbouring vec4.
override large: bool;

fn storeRow(i: u32, m: u32, n: u32, sum: vec4<f32>) {
  store(i, m, n, sum.x);
  store(i, m, n + 1u, sum.y);
  store(i, m, n + 2u, sum.z);
  store(i, m, n + 3u, sum.w);
}

fn storeBlock(i: u32, m: u32, n: u32, sum: mat4x4<f32>) {
  storeRow(i, m, n, sum[0]);
  storeRow(i, m + 1u, n, sum[1]);
  storeRow(i, m + 2u, n, sum[2]);
  storeRow(i, m + 3u, n, sum[3]);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let i = group.z;
  let side = select(4u, 8u, large);
  let m = (group.y * 8u + local.y) * side;
  let n = group.x * 8u * side + local.x * 4u;
  if (m >= params.M || n >= params.N) { return; }
  var sum00 = mat4x4<f32>();
  var sum01 = mat4x4<f32>();
  var sum10 = mat4x4<f32>();
  var sum11 = mat4x4<f32>();
  for (var k = 0u; k < params.K; k += 4u) {
    let a0 = blockOfA(i, m, k);
    let b0 = blockOfB(i, k, n);
    sum00 += b0 * a0;
    if (large) {
      let b1 = blockOfB(i, k, n + 32u);
      sum01 += b1 * a0;
      let a1 = blockOfA(i, m + 4u, k);
      sum10 += b0 * a1;
      sum11 += b1 * a1;
    }
  }
  storeBlock(i, m, n, sum00);
  if (large) {
    storeBlock(i, m, n + 32u, sum01);
    storeBlock(i, m + 4u, n, sum10);
    storeBlock(i, m + 4u, n + 32u, sum11);
  }
}
