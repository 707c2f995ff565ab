// Reads the operands of a product as vec4, with one bounds check for four elements. Each operand is contiguous along K
// or across it, and along that axis offset, strides and size are multiples of 4. Blocks of 4 x 4 for matmul-block.wgsl.
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
override aAlongK: bool;
override bAlongK: bool;

// Past an edge, the last row or column is read again, and the result is not stored. If no operand is contiguous along
// K, K may be any number, and past it A is zero. Indices count vec4.
fn startsOfA(i: u32, m: u32) -> vec4<u32> {
  let first = params.aOffset + i * params.aBatch;
  if (aAlongK) { return (first + min(vec4(m, m + 1u, m + 2u, m + 3u), vec4(params.M - 1u)) * params.aRow) / 4u; }
  return vec4((first + min(m, params.M - 4u)) / 4u);
}

fn startsOfB(i: u32, n: u32) -> vec4<u32> {
  let first = params.bOffset + i * params.bBatch;
  if (bAlongK) { return (first + min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(params.N - 1u)) * params.bColumn) / 4u; }
  return vec4((first + min(n, params.N - 4u)) / 4u);
}

// Column r holds row r of the block of A at four k.
fn blockOfA(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
  if (aAlongK) {
    let at = starts + k / 4u;
    return mat4x4(a[at.x], a[at.y], a[at.z], a[at.w]);
  }
  let four = vec4(k, k + 1u, k + 2u, k + 3u);
  let at = starts + min(four, vec4(params.K - 1u)) * (params.aColumn / 4u);
  let one = select(vec4<f32>(), vec4(1.0), four < vec4(params.K));
  return transpose(mat4x4(a[at.x] * one.x, a[at.y] * one.y, a[at.z] * one.z, a[at.w] * one.w));
}

// Column r holds B at k + r in four columns of C.
fn blockOfB(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
  if (bAlongK) {
    let at = starts + k / 4u;
    return transpose(mat4x4(b[at.x], b[at.y], b[at.z], b[at.w]));
  }
  let at = starts + min(vec4(k, k + 1u, k + 2u, k + 3u), vec4(params.K - 1u)) * (params.bRow / 4u);
  return mat4x4(b[at.x], b[at.y], b[at.z], b[at.w]);
}
