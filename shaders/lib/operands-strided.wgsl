// The operands of a product element by element, whatever their strides; blocks of 4 x 4 for matmul-block.wgsl.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;

fn elementA(i: u32, m: u32, k: u32) -> f32 { return a[params.aOffset + i * params.aBatch + m * params.aRow + k * params.aColumn]; }
fn elementB(i: u32, k: u32, n: u32) -> f32 { return b[params.bOffset + i * params.bBatch + k * params.bRow + n * params.bColumn]; }

// Past an edge the last row, column or k is read again: what comes of it is not stored, and past K this is zero.
fn rowOfA(i: u32, m: u32, k: u32) -> vec4<f32> {
  let row = min(m, params.M - 1u);
  let last = params.K - 1u;
  let values = vec4(elementA(i, row, k), elementA(i, row, min(k + 1u, last)), elementA(i, row, min(k + 2u, last)), elementA(i, row, min(k + 3u, last)));
  return select(vec4<f32>(), values, vec4(k, k + 1u, k + 2u, k + 3u) < vec4(params.K));
}

fn rowOfB(i: u32, k: u32, n: u32) -> vec4<f32> {
  let row = min(k, params.K - 1u);
  let last = params.N - 1u;
  return vec4(elementB(i, row, min(n, last)), elementB(i, row, min(n + 1u, last)), elementB(i, row, min(n + 2u, last)), elementB(i, row, min(n + 3u, last)));
}

fn blockOfA(i: u32, m: u32, k: u32) -> mat4x4<f32> {
  return mat4x4(rowOfA(i, m, k), rowOfA(i, m + 1u, k), rowOfA(i, m + 2u, k), rowOfA(i, m + 3u, k));
}

fn blockOfB(i: u32, k: u32, n: u32) -> mat4x4<f32> {
  return mat4x4(rowOfB(i, k, n), rowOfB(i, k + 1u, n), rowOfB(i, k + 2u, n), rowOfB(i, k + 3u, n));
}
