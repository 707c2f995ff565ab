// Scheduled sampling, row by row: with probability `rate` the drawn token, else the given one.
struct Params { rows: u32, offset: u32, stream: u32 }
@group(0) @binding(0) var<storage, read> given: array<u32>;
@group(0) @binding(1) var<storage, read> drawn: array<u32>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;
@group(0) @binding(3) var<storage, read> random: array<u32>;
@group(0) @binding(4) var<storage, read_write> tokens: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = linearIndex(group, groups, thread);
  if (row >= params.rows) { return; }
  let words = philox(vec4(row >> 2u, params.stream, random[2], random[3]), vec2(random[0], random[1]));
  tokens[row] = select(given[params.offset + row], drawn[row], uniformOf(words[row & 3u]) < rate[0]);
}
