// Where a workgroup has eight rows: the sums of row t / units, plus `before`. All threads have read the tile when it returns.
fn fold(sums: Sums, thread: u32, before: PackedGates) -> PackedGates {
  var total = foldRow(0u, sums.row0, thread, before);
  workgroupBarrier();
  total = foldRow(1u, sums.row1, thread, total);
  workgroupBarrier();
  total = foldRow(2u, sums.row2, thread, total);
  workgroupBarrier();
  total = foldRow(3u, sums.row3, thread, total);
  workgroupBarrier();
  total = foldRow(4u, sums.row4, thread, total);
  workgroupBarrier();
  total = foldRow(5u, sums.row5, thread, total);
  workgroupBarrier();
  total = foldRow(6u, sums.row6, thread, total);
  workgroupBarrier();
  total = foldRow(7u, sums.row7, thread, total);
  return total;
}
