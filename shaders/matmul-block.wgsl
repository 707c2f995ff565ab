// C = A·B in registers, without workgroup memory: a thread computes 8 x 8 elements of C (4 x 4 if not `large`), four k
// at a time, with 256 multiply-adds for 16 loads. The two halves of a thread's columns lie half a tile apart, so that
// neighbouring threads read and write neighbouring vec4.

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
