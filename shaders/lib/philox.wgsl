// Philox4x32-10 (Salmon et al. 2011): four random words from a counter of 128 bits and a key of 64; it has no state, so
// the backward pass can compute a mask again. The twin is src/kernels/philox.ts, bit for bit.

// The high word of a 64-bit product, from products of halves.
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let carried = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (carried >> 16u);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    c = vec4(
      multiplyHigh(0xcd9e8d57u, c.z) ^ c.y ^ k.x, 0xcd9e8d57u * c.z,
      multiplyHigh(0xd2511f53u, c.x) ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// [0, 1) in steps of 2^-24.
fn uniformOf(word: u32) -> f32 { return f32(word >> 8u) * 0x1p-24; }
// (0, 1), both ends open: the midpoints of 2^23 intervals, each exact in f32.
fn openUniformOf(word: u32) -> f32 { return (f32(word >> 9u) + 0.5) * 0x1p-23; }
