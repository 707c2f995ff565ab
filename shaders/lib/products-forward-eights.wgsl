// The same as products-forward, for GPUs: eight k at a time. The tile is in eights of units, so that one check of the index
// serves eight reads. The loop counts down to zero, since Tint adds a 64-bit counter to one whose end it cannot prove.
var<workgroup> tile: array<array<vec4<f32>, 8>, tileLength>;

fn putStates(unit: u32, h: vec4<f32>) { tile[unit / 8u][unit % 8u] = h; }

// The states of one row, as two fours.
fn addEight(low: vec4<f32>, high: vec4<f32>, w: array<PackedGates, 8>, sum: PackedGates) -> PackedGates {
  let four = multiplyAdd(low.w, w[3], multiplyAdd(low.z, w[2], multiplyAdd(low.y, w[1], multiplyAdd(low.x, w[0], sum))));
  return multiplyAdd(high.w, w[7], multiplyAdd(high.z, w[6], multiplyAdd(high.y, w[5], multiplyAdd(high.x, w[4], four))));
}

// `first` is a multiple of 8.
fn addProducts(first: u32, count: u32, weight: u32, before: Sums) -> Sums {
  var sums = before;
  var at = weight;
  var eight = first / 8u;
  for (var left = count / 8u; left > 0u; left--) {
    let w = eightWeights(at);
    let h = tile[eight];
    sums.row0 = addEight(vec4(h[0].x, h[1].x, h[2].x, h[3].x), vec4(h[4].x, h[5].x, h[6].x, h[7].x), w, sums.row0);
    if (rows > 1u) {
      sums.row1 = addEight(vec4(h[0].y, h[1].y, h[2].y, h[3].y), vec4(h[4].y, h[5].y, h[6].y, h[7].y), w, sums.row1);
      sums.row2 = addEight(vec4(h[0].z, h[1].z, h[2].z, h[3].z), vec4(h[4].z, h[5].z, h[6].z, h[7].z), w, sums.row2);
      sums.row3 = addEight(vec4(h[0].w, h[1].w, h[2].w, h[3].w), vec4(h[4].w, h[5].w, h[6].w, h[7].w), w, sums.row3);
    }
    at += 8u * params.H;
    eight++;
  }
  for (var n = 0u; n < count % 8u; n++) {
    let w = weightAt(at + n * params.H);
    let h = tile[eight][n];
    sums.row0 = multiplyAdd(h.x, w, sums.row0);
    if (rows > 1u) {
      sums.row1 = multiplyAdd(h.y, w, sums.row1);
      sums.row2 = multiplyAdd(h.z, w, sums.row2);
      sums.row3 = multiplyAdd(h.w, w, sums.row3);
    }
  }
  return sums;
}

// For a step, loads the states into workgroup memory, `tileUnits` units at a time.
fn addStates(at: vec4<u32>, count: u32, weight: u32, unit: u32, thread: u32, bias: PackedGates) -> Sums {
  var sums = Sums(bias, bias, bias, bias);
  for (var k = 0u; k < count; k += tileUnits) {
    // After this barrier, all threads have read what is overwritten next.
    workgroupBarrier();
    let read = at + min(k + thread, count - 1u);
    putStates(thread, vec4(h[read.x], h[read.y], h[read.z], h[read.w]));
    workgroupBarrier();
    sums = addProducts(0u, min(tileUnits, count - k), weight + k * params.H, sums);
  }
  return sums;
}
