// C = A·B in registers, without workgroup memory: a thread computes 8 x 8 elements of C (4 x 4 if not `large`), four k
// at a time, with 256 multiply-adds for 16 loads. The two halves of a thread's columns lie half a tile apart, so that
// neighbouring threads read and write neighbouring vec4.

// The sums start from four rows of bias. Past the edge of C any value will do.
fn biasBlock(n: u32) -> mat4x4<f32> {
  if (params.useBias == 0u) { return mat4x4<f32>(); }
  let row = vec4(bias[n], bias[n + 1u], bias[n + 2u], bias[n + 3u]);
  return mat4x4(row, row, row, row);
}

fn storeRow(i: u32, m: u32, n: u32, sum: vec4<f32>) {
  if (m >= params.M) { return; }
  let at = params.cOffset + i * params.cBatch + m * params.cRow + n;
  var value = sum;
  if (params.accumulate != 0u) { value += vec4(c[at], c[at + 1u], c[at + 2u], c[at + 3u]); }
  if (n + 4u <= params.N) {
    c[at] = value.x;
    c[at + 1u] = value.y;
    c[at + 2u] = value.z;
    c[at + 3u] = value.w;
    return;
  }
  for (var j = 0u; n + j < params.N; j++) { c[at + j] = value[j]; }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let i = group.z;
  let m = (group.y * 8u + local.y) * side();
  let n = group.x * 8u * side() + local.x * 4u;
  if (m >= params.M || n >= params.N) { return; }
  let starts = Starts(startsOfA(i, m), startsOfA(i, m + 4u), startsOfB(i, n), startsOfB(i, n + 32u));
  let left = biasBlock(n);
  let right = biasBlock(n + 32u);
  var tile = Tile(left, right, left, right, vec4<f32>(), vec4<f32>());
  // The first of the threads that share these rows of A sums them.
  let addsThese = addsRows && n == 0u;
  var k = 0u;
  for (var fours = params.K / 4u; fours > 0u; fours--) {
    tile = addFour(starts, k, addsThese, tile);
    k += 4u;
  }
  for (var ones = rest(); ones > 0u; ones--) {
    tile = addOne(starts, k, tile);
    k++;
  }
  if (addsThese) {
    storeSums(m, tile.rows0);
    if (large) { storeSums(m + 4u, tile.rows1); }
  }
  // An array and a loop, so that there is one copy of the store: unrolled, compiling it takes longer than all the rest.
  var sums = array(tile.sum00, tile.sum10, tile.sum01, tile.sum11);
  for (var j = 0u; j < side() * side() / 4u; j++) { storeRow(i, m + j % side(), n + j / side() * 32u, sums[j / 4u][j % 4u]); }
}
