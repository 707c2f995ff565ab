// Where a workgroup has one, two or four rows: adds up the parts of all shares, the sum of row t / units, where there is such a
// row. All threads have read the tile when it returns.
var<workgroup> parts: array<vec4<f32>, threads>;

fn fold(sums: Sums, thread: u32) -> f32 {
  parts[thread] = vec4(totalOf(sums.row0), totalOf(sums.row1), totalOf(sums.row2), totalOf(sums.row3));
  workgroupBarrier();
  let row = thread / units;
  if (row >= rows) { return 0.0; }
  var total = 0.0;
  for (var share = 0u; share < shares; share++) { total += parts[share * units + thread % units][row]; }
  return total;
}
