// position += by. A separate kernel, because all workgroups of sample-token read the position.
struct Params { by: u32 }
@group(0) @binding(0) var<storage, read_write> position: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() { position[0] += params.by; }
