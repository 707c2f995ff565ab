// y (+)= x * mask / (1 - p); a thread makes the mask of four neighbouring elements from one Philox block.
struct Params { length: u32, stream: u32, p: f32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> random: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn store(i: u32, word: u32) {
  if (i >= params.length) { return; }
  var value = 0.0;
  // With p = 1 no word is kept, so the division is never by zero.
  if (uniformOf(word) >= params.p) { value = x[i] / (1.0 - params.p); }
  if (params.accumulate != 0u) { value += y[i]; }
  y[i] = value;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let block = linearIndex(group, groups, thread);
  let words = philox(vec4(block, params.stream, random[2], random[3]), vec2(random[0], random[1]));
  store(block * 4u, words.x);
  store(block * 4u + 1u, words.y);
  store(block * 4u + 2u, words.z);
  store(block * 4u + 3u, words.w);
}
