// Rows of the batch in a workgroup. It is no override, since it is the length of an array within another.
const rows = 2u;

// Adds the products with one eight of k in these rows, four of both and then four, so that no more weights are unpacked at once.
fn addEight(eight: u32, w: array<Weights, 8>, sums: Sums) -> Sums {
  let half = Sums(addFirst(tile[eight][0], w, sums.row0), addFirst(tile[eight][1], w, sums.row1), sums.row2, sums.row3);
  return Sums(addSecond(tile[eight][0], w, half.row0), addSecond(tile[eight][1], w, half.row1), sums.row2, sums.row3);
}
