// The block of C that a thread computes: 8 x 8 elements, 4 x 4 if not `large`, in parts of 4 x 4. All is written as fma,
// since compilers need not join a product and a sum.
override large: bool;
fn side() -> u32 { return select(4u, 8u, large); }

// Where the rows of A and the columns of B begin, and those of the second half.
struct Starts { a0: vec4<u32>, a1: vec4<u32>, b0: vec4<u32>, b1: vec4<u32> }
// The columns of a part are rows of C: sum01 lies to the right of sum00, sum10 below it. rows0 and rows1 are sums of A's rows.
struct Tile { sum00: mat4x4<f32>, sum01: mat4x4<f32>, sum10: mat4x4<f32>, sum11: mat4x4<f32>, rows0: vec4<f32>, rows1: vec4<f32> }

// Adds one k: a has column k of A in four rows, b has row k of B in four columns.
fn addOuter(a: vec4<f32>, b: vec4<f32>, sum: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4(fma(vec4(a.x), b, sum[0]), fma(vec4(a.y), b, sum[1]), fma(vec4(a.z), b, sum[2]), fma(vec4(a.w), b, sum[3]));
}

fn addBlock(a: mat4x4<f32>, b: mat4x4<f32>, sum: mat4x4<f32>) -> mat4x4<f32> {
  return addOuter(a[3], b[3], addOuter(a[2], b[2], addOuter(a[1], b[1], addOuter(a[0], b[0], sum))));
}

fn sumOf(columns: mat4x4<f32>) -> vec4<f32> { return columns[0] + columns[1] + columns[2] + columns[3]; }

// Adds four k. The sums of rows come last, so that the branch does not keep the loads from starting together.
fn addFour(at: Starts, k: u32, addsThese: bool, before: Tile) -> Tile {
  var tile = before;
  let above = blockOfA(at.a0, k);
  let left = blockOfB(at.b0, k);
  var below = mat4x4<f32>();
  if (large) {
    below = blockOfA(at.a1, k);
    let right = blockOfB(at.b1, k);
    tile.sum01 = addBlock(above, right, tile.sum01);
    tile.sum10 = addBlock(below, left, tile.sum10);
    tile.sum11 = addBlock(below, right, tile.sum11);
  }
  tile.sum00 = addBlock(above, left, tile.sum00);
  if (addsThese) {
    tile.rows0 += sumOf(above);
    tile.rows1 += sumOf(below);
  }
  return tile;
}

// Adds one of the k that are left over.
fn addOne(at: Starts, k: u32, before: Tile) -> Tile {
  var tile = before;
  let above = columnOfA(at.a0, k);
  let left = rowOfB(at.b0, k);
  tile.sum00 = addOuter(above, left, tile.sum00);
  tile.rows0 += above;
  if (large) {
    let below = columnOfA(at.a1, k);
    let right = rowOfB(at.b1, k);
    tile.sum01 = addOuter(above, right, tile.sum01);
    tile.sum10 = addOuter(below, left, tile.sum10);
    tile.sum11 = addOuter(below, right, tile.sum11);
    tile.rows1 += below;
  }
  return tile;
}

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
