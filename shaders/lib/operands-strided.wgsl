// Reads the operands of a product element by element, with any strides; blocks of 4 x 4 for matmul-block.wgsl.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;

fn elementA(i: u32, m: u32, k: u32) -> f32 { return a[params.aOffset + i * params.aBatch + m * params.aRow + k * params.aColumn]; }
fn elementB(i: u32, k: u32, n: u32) -> f32 { return b[params.bOffset + i * params.bBatch + k * params.bRow + n * params.bColumn]; }

// Past an edge, the last row or column is read again, and the result is not stored.
fn startsOfA(i: u32, m: u32) -> vec4<u32> {
  return params.aOffset + i * params.aBatch + min(vec4(m, m + 1u, m + 2u, m + 3u), vec4(params.M - 1u)) * params.aRow;
}

fn startsOfB(i: u32, n: u32) -> vec4<u32> {
  return params.bOffset + i * params.bBatch + min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(params.N - 1u)) * params.bColumn;
}

// Column k of A in four rows, and row k of B in four columns.
fn columnOfA(starts: vec4<u32>, k: u32) -> vec4<f32> {
  let at = starts + k * params.aColumn;
  return vec4(a[at.x], a[at.y], a[at.z], a[at.w]);
}

fn rowOfB(starts: vec4<u32>, k: u32) -> vec4<f32> {
  let at = starts + k * params.bRow;
  return vec4(b[at.x], b[at.y], b[at.z], b[at.w]);
}

// Columns of A and rows of B from k to k + 3.
fn blockOfA(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
  return mat4x4(columnOfA(starts, k), columnOfA(starts, k + 1u), columnOfA(starts, k + 2u), columnOfA(starts, k + 3u));
}

fn blockOfB(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
  return mat4x4(rowOfB(starts, k), rowOfB(starts, k + 1u), rowOfB(starts, k + 2u), rowOfB(starts, k + 3u));
}

// The number of k that blocks of four leave over.
fn rest() -> u32 { return params.K % 4u; }
