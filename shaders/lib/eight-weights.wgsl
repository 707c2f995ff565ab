// The weights of one unit from units k to k+7; `at` is the place of the first. They are loaded together, so that a
// thread waits for memory once and not eight times.
fn eightWeights(at: u32) -> array<PackedGates, 8> {
  let H = params.H;
  return array<PackedGates, 8>(
    weightAt(at), weightAt(at + H), weightAt(at + 2u * H), weightAt(at + 3u * H),
    weightAt(at + 4u * H), weightAt(at + 5u * H), weightAt(at + 6u * H), weightAt(at + 7u * H));
}

// The same for the end of a matrix: only `count` of them, then zeros.
fn lastWeights(at: u32, count: u32) -> array<PackedGates, 8> {
  var w = array<PackedGates, 8>();
  for (var n = 0u; n < 8u; n++) {
    if (n < count) { w[n] = weightAt(at + n * params.H); }
  }
  return w;
}
