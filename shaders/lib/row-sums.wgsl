// For matmul-block.wgsl: sums A's rows beside the product, so that a weight's gradient also gives its bias's.
const addsRows = true;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

fn storeSums(m: u32, rows: vec4<f32>) {
  for (var r = 0u; r < 4u && m + r < params.M; r++) {
    var value = rows[r];
    if (params.accumulate != 0u) { value += sums[m + r]; }
    sums[m + r] = value;
  }
}
