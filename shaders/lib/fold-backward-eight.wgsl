// Where a workgroup has eight rows: adds up the parts of all shares, the sum of row t / units. All threads have read the tile
// when it returns.
var<workgroup> parts: array<array<f32, 8>, threads>;

fn fold(sums: Sums, thread: u32) -> f32 {
  parts[thread] = array<f32, 8>(
    totalOf(sums.row0), totalOf(sums.row1), totalOf(sums.row2), totalOf(sums.row3),
    totalOf(sums.row4), totalOf(sums.row5), totalOf(sums.row6), totalOf(sums.row7));
  workgroupBarrier();
  var total = 0.0;
  for (var share = 0u; share < shares; share++) { total += parts[share * units + thread % units][thread / units]; }
  return total;
}
