// Reads the operands of a product element by element, with any strides; blocks of 4 x 4 for matmul-block.wgsl.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;

fn elementA(i: u32, m: u32, k: u32) -> f32 { return a[params.aOffset + i * params.aBatch + m * params.aRow + k * params.aColumn]; }
fn elementB(i: u32, k: u32, n: u32) -> f32 { return b[params.bOffset + i * params.bBatch + k * params.bRow + n * params.bColumn]; }

// Past an edge, the last row, column or k is read again. Such results are not stored, and past K, A is zero.
fn startsOfA(i: u32, m: u32) -> vec4<u32> {
  return params.aOffset + i * params.aBatch + min(vec4(m, m + 1u, m + 2u, m + 3u), vec4(params.M - 1u)) * params.aRow;
}

fn startsOfB(i: u32, n: u32) -> vec4<u32> {
  return params.bOffset + i * params.bBatch + min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(params.N - 1u)) * params.bColumn;
}

fn rowOfA(at: vec4<u32>, inside: vec4<bool>) -> vec4<f32> {
  return select(vec4<f32>(), vec4(a[at.x], a[at.y], a[at.z], a[at.w]), inside);
}

fn blockOfA(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
  let four = vec4(k, k + 1u, k + 2u, k + 3u);
  let at = min(four, vec4(params.K - 1u)) * params.aColumn;
  let inside = four < vec4(params.K);
  return mat4x4(rowOfA(starts.x + at, inside), rowOfA(starts.y + at, inside), rowOfA(starts.z + at, inside), rowOfA(starts.w + at, inside));
}

fn rowOfB(at: vec4<u32>) -> vec4<f32> { return vec4(b[at.x], b[at.y], b[at.z], b[at.w]); }

fn blockOfB(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
  let at = min(vec4(k, k + 1u, k + 2u, k + 3u), vec4(params.K - 1u)) * params.bRow;
  return mat4x4(rowOfB(starts + at.x), rowOfB(starts + at.y), rowOfB(starts + at.z), rowOfB(starts + at.w));
}
