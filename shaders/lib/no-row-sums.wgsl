// For matmul-block.wgsl: the product alone.
const addsRows = false;
fn storeSums(m: u32, rows: vec4<f32>) {}
