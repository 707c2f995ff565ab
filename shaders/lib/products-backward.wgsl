// Sums for each unit the products with others' gate gradients, one k at a time: for software adapters, and for heads.

// The loop has the gradients of all units in workgroup memory, `tileUnits` of each row. 256 units of four gates take 16
// KiB, which every device has.
var<workgroup> tile: array<PackedGates, tileLength>;

fn putGradients(unit: u32, row: u32, gates: PackedGates) { tile[row * tileUnits + unit] = gates; }

// Adds the products of `count` units, as in products-forward.
fn addProducts(first: u32, count: u32, weight: u32, before: vec4<f32>) -> vec4<f32> {
  var sum0 = before.x;
  var sum1 = before.y;
  var sum2 = before.z;
  var sum3 = before.w;
  for (var k = 0u; k < count; k++) {
    let w = weightAt(weight + k * params.H);
    sum0 = dotGates(tile[first + k], w, sum0);
    if (rows > 1u) {
      sum1 = dotGates(tile[tileUnits + first + k], w, sum1);
      sum2 = dotGates(tile[2u * tileUnits + first + k], w, sum2);
      sum3 = dotGates(tile[3u * tileUnits + first + k], w, sum3);
    }
  }
  return vec4(sum0, sum1, sum2, sum3);
}

// A step reads the gradients of four rows in place, from `at` on, on the recurrent side or on the input side.
fn addGradients(at: vec4<u32>, recurrent: bool, count: u32, weight: u32, unit: u32, thread: u32) -> vec4<f32> {
  if (unit >= params.H) { return vec4<f32>(); }
  let at0 = at.x;
  let at1 = at.y;
  let at2 = at.z;
  let at3 = at.w;
  var sum0 = 0.0;
  var sum1 = 0.0;
  var sum2 = 0.0;
  var sum3 = 0.0;
  for (var k = 0u; k < count; k++) {
    let w = weightAt(weight + k * params.H);
    sum0 = dotGates(gradientAt(at0 + k, recurrent), w, sum0);
    sum1 = dotGates(gradientAt(at1 + k, recurrent), w, sum1);
    sum2 = dotGates(gradientAt(at2 + k, recurrent), w, sum2);
    sum3 = dotGates(gradientAt(at3 + k, recurrent), w, sum3);
  }
  return vec4(sum0, sum1, sum2, sum3);
}
