// Rows of the batch in a workgroup. It is no override, since it is the length of an array within another.
const rows = 1u;

// Adds the products with one eight of k in these rows.
fn addEight(eight: u32, w: array<Weights, 8>, sums: Sums) -> Sums {
  return Sums(addRow(tile[eight][0], w, sums.row0), sums.row1, sums.row2, sums.row3);
}
