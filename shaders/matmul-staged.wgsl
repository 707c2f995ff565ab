// C = A·B for a large C, with slices of A and B in workgroup memory. 64 threads compute 64 x 64 elements of C, 8 x 8 each.
// A cache line of either operand is read once for a slice of sixteen k, of which K is a multiple, not once for four k.

// [k / 4, k % 4, row / 4] and [k / 4, k % 4, column / 4]
var<workgroup> sliceA: array<array<array<vec4<f32>, 16>, 4>, 4>;
var<workgroup> sliceB: array<array<array<vec4<f32>, 16>, 4>, 4>;

// Adds k = four * 4 + one of the slice. The halves of a thread's rows and columns lie 32 apart.
fn addStaged(four: u32, one: u32, local: vec3<u32>, before: Tile) -> Tile {
  var tile = before;
  let above = sliceA[four][one][local.y];
  let below = sliceA[four][one][local.y + 8u];
  let left = sliceB[four][one][local.x];
  let right = sliceB[four][one][local.x + 8u];
  tile.sum00 = addOuter(above, left, tile.sum00);
  tile.sum01 = addOuter(above, right, tile.sum01);
  tile.sum10 = addOuter(below, left, tile.sum10);
  tile.sum11 = addOuter(below, right, tile.sum11);
  return tile;
}

fn addFourStaged(four: u32, local: vec3<u32>, tile: Tile) -> Tile {
  return addStaged(four, 3u, local, addStaged(four, 2u, local, addStaged(four, 1u, local, addStaged(four, 0u, local, tile))));
}

// The block of 4 x 4 of a slice that a thread brings in: which four k, which four rows or columns. Neighbouring threads
// read neighbouring vec4.
fn blockOf(thread: u32, alongK: bool) -> vec2<u32> {
  if (alongK) { return vec2(thread % 4u, thread / 4u); }
  return vec2(thread / 16u, thread % 16u);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = group.z;
  let firstM = group.y * 64u;
  let firstN = group.x * 64u;
  let ofA = blockOf(thread, params.aColumn == 1u);
  let ofB = blockOf(thread, params.bRow == 1u);
  let startsA = startsOfA(i, firstM + ofA.y * 4u);
  let startsB = startsOfB(i, firstN + ofB.y * 4u);
  let m = firstM + local.y * 4u;
  let n = firstN + local.x * 4u;
  let left = biasBlock(n);
  let right = biasBlock(n + 32u);
  var tile = Tile(left, right, left, right, vec4<f32>(), vec4<f32>());
  // The first of the workgroups that share these rows of A sums them, each thread what it brings in.
  let addsThese = addsRows && group.x == 0u;
  var k = 0u;
  for (var slices = params.K / 16u; slices > 0u; slices--) {
    let blockA = blockOfA(startsA, k + ofA.x * 4u);
    let blockB = blockOfB(startsB, k + ofB.x * 4u);
    // All threads have read the slice before.
    workgroupBarrier();
    for (var one = 0u; one < 4u; one++) {
      sliceA[ofA.x][one][ofA.y] = blockA[one];
      sliceB[ofB.x][one][ofB.y] = blockB[one];
    }
    workgroupBarrier();
    if (addsThese) { tile.rows0 += sumOf(blockA); }
    // Written out, since compilers leave a loop of so many multiply-adds as it is, with an address for each read.
    tile = addFourStaged(3u, local, addFourStaged(2u, local, addFourStaged(1u, local, addFourStaged(0u, local, tile))));
    k += 16u;
  }
  if (addsThese) {
    workgroupBarrier();
    sliceA[ofA.x][0][ofA.y] = tile.rows0;
    workgroupBarrier();
    if (thread < 16u) {
      storeSums(firstM + thread * 4u, sliceA[0][0][thread] + sliceA[1][0][thread] + sliceA[2][0][thread] + sliceA[3][0][thread]);
    }
  }
  var sums = array(tile.sum00, tile.sum10, tile.sum01, tile.sum11);
  for (var j = 0u; j < 16u; j++) { storeRow(i, m + j % 4u + j / 4u % 2u * 32u, n + j / 8u * 32u, sums[j / 4u][j % 4u]); }
}
