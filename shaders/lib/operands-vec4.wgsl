// Reads the operands of a product as vec4, with one bounds check for four elements. Each operand is contiguous along K
// or across it, and along that axis offset, strides and size are multiples of 4. Blocks of 4 x 4 for matmul-block.wgsl.
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
override aAlongK: bool;
override bAlongK: bool;

// Past an edge, the last row or column is read again, and the result is not stored. Indices count vec4.
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

// Column k of A in four rows, and row k of B in four columns. Only operands that are contiguous across K have them.
fn columnOfA(starts: vec4<u32>, k: u32) -> vec4<f32> { return a[starts.x + k * (params.aColumn / 4u)]; }
fn rowOfB(starts: vec4<u32>, k: u32) -> vec4<f32> { return b[starts.x + k * (params.bRow / 4u)]; }

// Columns of A and rows of B from k to k + 3.
fn blockOfA(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
  if (!aAlongK) { return mat4x4(columnOfA(starts, k), columnOfA(starts, k + 1u), columnOfA(starts, k + 2u), columnOfA(starts, k + 3u)); }
  let at = starts + k / 4u;
  return transpose(mat4x4(a[at.x], a[at.y], a[at.z], a[at.w]));
}

fn blockOfB(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
  if (!bAlongK) { return mat4x4(rowOfB(starts, k), rowOfB(starts, k + 1u), rowOfB(starts, k + 2u), rowOfB(starts, k + 3u)); }
  let at = starts + k / 4u;
  return transpose(mat4x4(b[at.x], b[at.y], b[at.z], b[at.w]));
}

// The number of k that blocks of four leave over. K is a multiple of 4 if an operand is contiguous along it.
fn rest() -> u32 {
  if (aAlongK || bAlongK) { return 0u; }
  return params.K % 4u;
}
