// The weights of one unit from units k to k+7; `at` is the place of the first, `to` how far the others are behind it. They
// are loaded together, so that a thread waits for memory once and not eight times.
fn eightWeights(at: u32, to: array<u32, 8>) -> array<Weights, 8> {
  return array<Weights, 8>(
    weights[at], weights[at + to[1]], weights[at + to[2]], weights[at + to[3]],
    weights[at + to[4]], weights[at + to[5]], weights[at + to[6]], weights[at + to[7]]);
}

// For `to`. Made before a loop, since some compilers would multiply in each iteration.
fn eightRows() -> array<u32, 8> {
  let H = params.H;
  return array<u32, 8>(0u, H, 2u * H, 3u * H, 4u * H, 5u * H, 6u * H, 7u * H);
}

// The same where a matrix may end: from unit k on, with zeros behind the last of `count`. The weight of the first unit is at `weight`.
fn eightFrom(k: u32, count: u32, weight: u32) -> array<Weights, 8> {
  var w = array<Weights, 8>();
  for (var n = 0u; n < 8u; n++) {
    if (k + n < count) { w[n] = weights[weight + (k + n) * params.H]; }
  }
  return w;
}
