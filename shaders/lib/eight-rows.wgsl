// Rows of the batch in a workgroup. It is no override, since it is the length of an array within another.
const rows = 8u;

// Adds the products with one eight of k in these rows.
fn addEight(eight: u32, w: array<Weights, 8>, sums: Sums) -> Sums {
  return Sums(
    addRow(tile[eight][0], w, sums.row0), addRow(tile[eight][1], w, sums.row1),
    addRow(tile[eight][2], w, sums.row2), addRow(tile[eight][3], w, sums.row3),
    addRow(tile[eight][4], w, sums.row4), addRow(tile[eight][5], w, sums.row5),
    addRow(tile[eight][6], w, sums.row6), addRow(tile[eight][7], w, sums.row7));
}
