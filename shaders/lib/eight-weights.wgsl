// The weights of one unit from units k to k+7; `at` is the place of the first, `to` how far the others are behind it. They
// are loaded together, so that a thread waits for memory once and not eight times.
fn eightWeights(at: u32, to: array<u32, 8>) -> array<PackedGates, 8> {
  return array<PackedGates, 8>(
    weightAt(at), weightAt(at + to[1]), weightAt(at + to[2]), weightAt(at + to[3]),
    weightAt(at + to[4]), weightAt(at + to[5]), weightAt(at + to[6]), weightAt(at + to[7]));
}

// For `to`. Made before a loop, since some compilers would multiply in each iteration.
fn eightRows() -> array<u32, 8> {
  let H = params.H;
  return array<u32, 8>(0u, H, 2u * H, 3u * H, 4u * H, 5u * H, 6u * H, 7u * H);
}

// The same for the end of a matrix: only `count` of them, then zeros.
fn lastWeights(at: u32, count: u32) -> array<PackedGates, 8> {
  var w = array<PackedGates, 8>();
  for (var n = 0u; n < 8u; n++) {
    if (n < count) { w[n] = weightAt(at + n * params.H); }
  }
  return w;
}
