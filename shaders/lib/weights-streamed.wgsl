// Each thread reads its share of the weights whenever it needs it. `hold` is for kernels that keep them.
fn hold(share: u32, count: u32, weight: u32) {}

// Adds the products with `count` units, of which each share has as many eights. The weight of the first is at `weight`.
// The loop counts down to zero, since Tint adds a 64-bit counter to one whose end it cannot prove.
fn addShare(share: u32, count: u32, weight: u32, before: Sums) -> Sums {
  var sums = before;
  let each = ((count + 7u) / 8u + shares - 1u) / shares;
  let whole = count / 8u;
  var eight = min(share * each, whole);
  var at = weight + eight * 8u * params.H;
  let to = eightRows();
  for (var left = min(share * each + each, whole) - eight; left > 0u; left--) {
    sums = addEight(eight, eightWeights(at, to), sums);
    at += 8u * params.H;
    eight++;
  }
  if (whole * 8u < count && whole / each == share) { sums = addEight(whole, lastWeights(at, count % 8u), sums); }
  return sums;
}
