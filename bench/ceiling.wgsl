// C = A·B for sizes that are multiples of 64, straight from memory: 8 rows by 2 vec4 per invocation, the best of
// sixteen such tilings on a software adapter. It is here to be fast on one easy product, not to be used. Written out,
// since sums in an array indexed by a loop live in memory on some drivers.
struct Params { size: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let size = params.size;
  let width = size / 4u;
  let n = id.x * 2u;
  let m = id.y * 8u;
  if (n >= width || m >= size) { return; }
  var l0 = vec4<f32>(); var r0 = vec4<f32>();
  var l1 = vec4<f32>(); var r1 = vec4<f32>();
  var l2 = vec4<f32>(); var r2 = vec4<f32>();
  var l3 = vec4<f32>(); var r3 = vec4<f32>();
  var l4 = vec4<f32>(); var r4 = vec4<f32>();
  var l5 = vec4<f32>(); var r5 = vec4<f32>();
  var l6 = vec4<f32>(); var r6 = vec4<f32>();
  var l7 = vec4<f32>(); var r7 = vec4<f32>();
  for (var k = 0u; k < size; k++) {
    let b0 = b[k * width + n];
    let b1 = b[k * width + n + 1u];
    let at = m * size + k;
    let a0 = vec4(a[at]); l0 = fma(a0, b0, l0); r0 = fma(a0, b1, r0);
    let a1 = vec4(a[at + 1u * size]); l1 = fma(a1, b0, l1); r1 = fma(a1, b1, r1);
    let a2 = vec4(a[at + 2u * size]); l2 = fma(a2, b0, l2); r2 = fma(a2, b1, r2);
    let a3 = vec4(a[at + 3u * size]); l3 = fma(a3, b0, l3); r3 = fma(a3, b1, r3);
    let a4 = vec4(a[at + 4u * size]); l4 = fma(a4, b0, l4); r4 = fma(a4, b1, r4);
    let a5 = vec4(a[at + 5u * size]); l5 = fma(a5, b0, l5); r5 = fma(a5, b1, r5);
    let a6 = vec4(a[at + 6u * size]); l6 = fma(a6, b0, l6); r6 = fma(a6, b1, r6);
    let a7 = vec4(a[at + 7u * size]); l7 = fma(a7, b0, l7); r7 = fma(a7, b1, r7);
  }
  let to = m * width + n;
  c[to] = l0; c[to + 1u] = r0;
  c[to + 1u * width] = l1; c[to + 1u * width + 1u] = r1;
  c[to + 2u * width] = l2; c[to + 2u * width + 1u] = r2;
  c[to + 3u * width] = l3; c[to + 3u * width + 1u] = r3;
  c[to + 4u * width] = l4; c[to + 4u * width + 1u] = r4;
  c[to + 5u * width] = l5; c[to + 5u * width + 1u] = r5;
  c[to + 6u * width] = l6; c[to + 6u * width + 1u] = r6;
  c[to + 7u * width] = l7; c[to + 7u * width + 1u] = r7;
}
