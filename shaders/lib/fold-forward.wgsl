// Where a workgroup has one, two or four rows: the sums of row t / units, plus `before`, where there is such a row. All threads
// have read the tile when it returns.
fn fold(sums: Sums, thread: u32, before: PackedGates) -> PackedGates {
  var total = foldRow(0u, sums.row0, thread, before);
  if (rows > 1u) {
    workgroupBarrier();
    total = foldRow(1u, sums.row1, thread, total);
  }
  if (rows > 2u) {
    workgroupBarrier();
    total = foldRow(2u, sums.row2, thread, total);
    workgroupBarrier();
    total = foldRow(3u, sums.row3, thread, total);
  }
  return total;
}
