// Each thread reads its share of the weights whenever it needs it. `hold` is for kernels that keep them.
fn hold(share: u32, count: u32, weight: u32) {}

// Takes sixteen k at once, so that a thread waits half as often: for small workgroups, whose threads have the registers.
override inPairs: bool = false;

// Adds the products with `count` units, of which each share has as many eights. The weight of the first is at `weight`.
// The loops count down to zero, since Tint adds a 64-bit counter to one whose end it cannot prove.
fn addShare(share: u32, count: u32, weight: u32, before: Sums) -> Sums {
  var sums = before;
  let each = ((count + 7u) / 8u + shares - 1u) / shares;
  let whole = count / 8u;
  var eight = min(share * each, whole);
  var at = weight + eight * 8u * params.H;
  let to = eightRows();
  let mine = min(share * each + each, whole) - eight;
  var alone = mine;
  if (inPairs) {
    for (var pairs = mine / 2u; pairs > 0u; pairs--) {
      let first = eightWeights(at, to);
      let second = eightWeights(at + 8u * params.H, to);
      sums = addEight(eight + 1u, second, addEight(eight, first, sums));
      at += 16u * params.H;
      eight += 2u;
    }
    alone = mine % 2u;
  }
  for (var left = alone; left > 0u; left--) {
    sums = addEight(eight, eightWeights(at, to), sums);
    at += 8u * params.H;
    eight++;
  }
  if (whole * 8u < count && whole / each == share) { sums = addEight(whole, eightFrom(whole * 8u, count, weight), sums); }
  return sums;
}
