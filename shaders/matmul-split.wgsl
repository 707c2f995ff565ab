// C = A·B for a small C and a long K, such as the gradient of a weight. A workgroup computes 4 x 4 blocks of C. Sixteen
// threads share each block, taking four k in turn, and their sums are added in a fixed order. Blocks and operands are
// those of matmul-block.
const shares = 16u;
// A vec4 of each thread's sums for each row of a part, [4, share, block].
var<workgroup> partial: array<vec4<f32>, 1024>;

struct Place { i: u32, m: u32, n: u32 }

// Adds up what all shares have of one part of each block, and stores it. A thread adds one element: row thread / 4 % 4
// and column thread % 4 of block thread / 16.
fn fold(part: mat4x4<f32>, thread: u32, at: Place) {
  for (var r = 0u; r < 4u; r++) { partial[r * 256u + thread] = part[r]; }
  workgroupBarrier();
  let block = thread / 16u;
  let row = thread / 4u % 4u;
  var total = 0.0;
  for (var one = 0u; one < shares; one++) { total += partial[row * 256u + one * 16u + block][thread % 4u]; }
  store(at.i, at.m + block / 4u * side() + row, at.n + block % 4u * 4u + thread % 4u, total);
  // After this barrier, all threads have read what is overwritten next.
  workgroupBarrier();
}

// The same for sums of A's rows, which begin `first` rows behind each block's first.
fn foldRows(rows: vec4<f32>, thread: u32, first: u32, at: Place) {
  if (!addsRows || at.n > 0u) { return; }
  partial[thread] = rows;
  workgroupBarrier();
  if (thread < 16u && thread % 4u == 0u) {
    var totals = vec4<f32>();
    for (var one = 0u; one < shares; one++) { totals += partial[one * 16u + thread]; }
    storeSums(at.m + thread / 4u * side() + first, totals);
  }
  workgroupBarrier();
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = Place(group.z, group.y * 4u * side(), group.x * 4u * side());
  // Blocks past the edge of C are computed from the last rows and columns, and not stored.
  let m = at.m + local.x / 4u * side();
  let n = at.n + local.x % 4u * 4u;
  let starts = Starts(startsOfA(at.i, m), startsOfA(at.i, m + 4u), startsOfB(at.i, n), startsOfB(at.i, n + 16u));
  var tile = Tile();
  // The first of the workgroups that share these rows of A sums them.
  let addsThese = addsRows && at.n == 0u;
  let fours = params.K / 4u;
  for (var four = local.y; four < fours; four += shares) { tile = addFour(starts, four * 4u, addsThese, tile); }
  // What is left over goes to the first shares, one k each.
  if (local.y < rest()) { tile = addOne(starts, fours * 4u + local.y, tile); }
  fold(tile.sum00, thread, at);
  foldRows(tile.rows0, thread, 0u, at);
  if (large) {
    fold(tile.sum01, thread, Place(at.i, at.m, at.n + 16u));
    fold(tile.sum10, thread, Place(at.i, at.m + 4u, at.n));
    fold(tile.sum11, thread, Place(at.i, at.m + 4u, at.n + 16u));
    foldRows(tile.rows1, thread, 4u, at);
  }
}
