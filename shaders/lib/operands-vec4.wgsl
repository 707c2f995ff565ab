// The operands of a product in vec4, one bounds check for four elements: each operand is contiguous along K or
// across it, and there offsets, strides and the size are multiples of 4. Blocks of 4 x 4 for matmul-block.wgsl.
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
override aAlongK: bool;
override bAlongK: bool;

fn fourOfA(i: u32, m: u32, k: u32) -> vec4<f32> { return a[(params.aOffset + i * params.aBatch + m * params.aRow + k * params.aColumn) / 4u]; }
fn fourOfB(i: u32, k: u32, n: u32) -> vec4<f32> { return b[(params.bOffset + i * params.bBatch + k * params.bRow + n * params.bColumn) / 4u]; }

// Past an edge the last row or column is read again: what comes of it is not stored. If K runs along neither
// operand it may be any number, and past it A is zero.
fn alongK(i: u32, m: u32, k: u32) -> vec4<f32> { return fourOfA(i, min(m, params.M - 1u), k); }
fn acrossK(i: u32, m: u32, k: u32) -> vec4<f32> {
  return select(vec4<f32>(), fourOfA(i, min(m, params.M - 4u), min(k, params.K - 1u)), k < params.K);
}

// Column r holds row m + r of A at the four k.
fn blockOfA(i: u32, m: u32, k: u32) -> mat4x4<f32> {
  if (aAlongK) { return mat4x4(alongK(i, m, k), alongK(i, m + 1u, k), alongK(i, m + 2u, k), alongK(i, m + 3u, k)); }
  return transpose(mat4x4(acrossK(i, m, k), acrossK(i, m, k + 1u), acrossK(i, m, k + 2u), acrossK(i, m, k + 3u)));
}

// Column r holds B at k + r in the four columns of C.
fn blockOfB(i: u32, k: u32, n: u32) -> mat4x4<f32> {
  let last = params.N - 1u;
  if (bAlongK) { return transpose(mat4x4(fourOfB(i, k, min(n, last)), fourOfB(i, k, min(n + 1u, last)), fourOfB(i, k, min(n + 2u, last)), fourOfB(i, k, min(n + 3u, last)))); }
  let column = min(n, params.N - 4u);
  let end = params.K - 1u;
  return mat4x4(fourOfB(i, k, column), fourOfB(i, min(k + 1u, end), column), fourOfB(i, min(k + 2u, end), column), fourOfB(i, min(k + 3u, end), column));
}
