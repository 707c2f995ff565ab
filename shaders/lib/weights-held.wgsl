// Each thread keeps the weights of its share in registers, sixteen of a unit, so that no step reads them again. An array
// stays in registers only while its indices are constants.
var<private> low: array<PackedGates, 8>;
var<private> high: array<PackedGates, 8>;

fn hold(share: u32, count: u32, weight: u32) {
  let first = min(share * 16u, count);
  let second = min(first + 8u, count);
  low = lastWeights(weight + first * params.H, count - first);
  high = lastWeights(weight + second * params.H, count - second);
}

fn addShare(share: u32, count: u32, weight: u32, before: Sums) -> Sums {
  return addEight(share * 2u + 1u, high, addEight(share * 2u, low, before));
}
