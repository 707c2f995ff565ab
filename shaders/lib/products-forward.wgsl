// Sums for each unit the products with others' states, h·W, one k at a time: for software adapters, and for heads.

// The loop has the states of all units in workgroup memory.
var<workgroup> tile: array<vec4<f32>, tileLength>;

fn putStates(unit: u32, h: vec4<f32>) { tile[unit] = h; }

// Adds the products of `count` units. Their states lie in the tile from `first` on, the weights of the first one at `weight`.
fn addProducts(first: u32, count: u32, weight: u32, before: Sums) -> Sums {
  var sum0 = before.row0;
  var sum1 = before.row1;
  var sum2 = before.row2;
  var sum3 = before.row3;
  for (var k = 0u; k < count; k++) {
    let w = weightAt(weight + k * params.H);
    let hk = tile[first + k];
    sum0 = multiplyAdd(hk.x, w, sum0);
    if (rows > 1u) {
      sum1 = multiplyAdd(hk.y, w, sum1);
      sum2 = multiplyAdd(hk.z, w, sum2);
      sum3 = multiplyAdd(hk.w, w, sum3);
    }
  }
  return Sums(sum0, sum1, sum2, sum3);
}

// A step reads the states of four rows in place, from `at` on.
fn addStates(at: vec4<u32>, count: u32, weight: u32, unit: u32, thread: u32, bias: PackedGates) -> Sums {
  if (unit >= params.H) { return Sums(); }
  let at0 = at.x;
  let at1 = at.y;
  let at2 = at.z;
  let at3 = at.w;
  var sum0 = bias;
  var sum1 = bias;
  var sum2 = bias;
  var sum3 = bias;
  for (var k = 0u; k < count; k++) {
    let w = weightAt(weight + k * params.H);
    sum0 = multiplyAdd(h[at0 + k], w, sum0);
    sum1 = multiplyAdd(h[at1 + k], w, sum1);
    sum2 = multiplyAdd(h[at2 + k], w, sum2);
    sum3 = multiplyAdd(h[at3 + k], w, sum3);
  }
  return Sums(sum0, sum1, sum2, sum3);
}
