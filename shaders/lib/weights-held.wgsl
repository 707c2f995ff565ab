// Each thread keeps the weights of its share in registers, `heldEights` eights of a unit, so that no step reads them again.
// They stay as they lie in memory: halves take half the registers. An array stays in registers only while its indices are
// constants.
override heldEights: u32;
var<private> held0: array<Weights, 8>;
var<private> held1: array<Weights, 8>;
var<private> held2: array<Weights, 8>;
var<private> held3: array<Weights, 8>;
var<private> held4: array<Weights, 8>;
var<private> held5: array<Weights, 8>;
var<private> held6: array<Weights, 8>;
var<private> held7: array<Weights, 8>;

fn hold(share: u32, count: u32, weight: u32) {
  let first = share * heldEights * 8u;
  held0 = eightFrom(first, count, weight);
  held1 = eightFrom(first + 8u, count, weight);
  if (heldEights > 2u) {
    held2 = eightFrom(first + 16u, count, weight);
    held3 = eightFrom(first + 24u, count, weight);
  }
  if (heldEights > 4u) {
    held4 = eightFrom(first + 32u, count, weight);
    held5 = eightFrom(first + 40u, count, weight);
    held6 = eightFrom(first + 48u, count, weight);
    held7 = eightFrom(first + 56u, count, weight);
  }
}

fn addShare(share: u32, count: u32, weight: u32, before: Sums) -> Sums {
  let first = share * heldEights;
  var sums = addEight(first + 1u, held1, addEight(first, held0, before));
  if (heldEights > 2u) { sums = addEight(first + 3u, held3, addEight(first + 2u, held2, sums)); }
  if (heldEights > 4u) {
    sums = addEight(first + 5u, held5, addEight(first + 4u, held4, sums));
    sums = addEight(first + 7u, held7, addEight(first + 6u, held6, sums));
  }
  return sums;
}
