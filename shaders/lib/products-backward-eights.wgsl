// The same as products-backward, for GPUs: eight k at a time, as in products-forward-eights. The tile is [tileUnits / 8, rows,
// 8 units], so that one check of the index serves the reads of eight units in all rows.
var<workgroup> tile: array<array<array<PackedGates, 8>, 4>, tileLength>;

fn putGradients(unit: u32, row: u32, gates: PackedGates) { tile[unit / 8u][row][unit % 8u] = gates; }

// The loads start with the last: once it has come from memory, so have the others. The gates' sums do not wait for each other.
fn multiplyEight(d: array<PackedGates, 8>, w: array<PackedGates, 8>, sum: PackedGates) -> PackedGates {
  let four = multiplyGates(d[4], w[4], multiplyGates(d[5], w[5], multiplyGates(d[6], w[6], multiplyGates(d[7], w[7], sum))));
  return multiplyGates(d[0], w[0], multiplyGates(d[1], w[1], multiplyGates(d[2], w[2], multiplyGates(d[3], w[3], four))));
}

fn addProducts(first: u32, count: u32, weight: u32, before: vec4<f32>) -> vec4<f32> {
  var sums = Sums();
  var at = weight;
  var eight = first / 8u;
  for (var left = count / 8u; left > 0u; left--) {
    let w = eightWeights(at);
    sums.row0 = multiplyEight(tile[eight][0], w, sums.row0);
    if (rows > 1u) {
      sums.row1 = multiplyEight(tile[eight][1], w, sums.row1);
      sums.row2 = multiplyEight(tile[eight][2], w, sums.row2);
      sums.row3 = multiplyEight(tile[eight][3], w, sums.row3);
    }
    at += 8u * params.H;
    eight++;
  }
  for (var n = 0u; n < count % 8u; n++) {
    let w = weightAt(at + n * params.H);
    sums.row0 = multiplyGates(tile[eight][0][n], w, sums.row0);
    if (rows > 1u) {
      sums.row1 = multiplyGates(tile[eight][1][n], w, sums.row1);
      sums.row2 = multiplyGates(tile[eight][2][n], w, sums.row2);
      sums.row3 = multiplyGates(tile[eight][3][n], w, sums.row3);
    }
  }
  return before + vec4(totalOf(sums.row0), totalOf(sums.row1), totalOf(sums.row2), totalOf(sums.row3));
}

// For a step, loads the gradients into workgroup memory, `tileUnits` units at a time.
fn addGradients(at: vec4<u32>, recurrent: bool, count: u32, weight: u32, unit: u32, thread: u32) -> vec4<f32> {
  var sum = vec4<f32>();
  for (var k = 0u; k < count; k += tileUnits) {
    // After this barrier, all threads have read what is overwritten next.
    workgroupBarrier();
    let read = at + min(k + thread, count - 1u);
    putGradients(thread, 0u, gradientAt(read.x, recurrent));
    putGradients(thread, 1u, gradientAt(read.y, recurrent));
    putGradients(thread, 2u, gradientAt(read.z, recurrent));
    putGradients(thread, 3u, gradientAt(read.w, recurrent));
    workgroupBarrier();
    sum = addProducts(0u, min(tileUnits, count - k), weight + k * params.H, sum);
  }
  return sum;
}
