// Packs numbers as halves, two in each word. Each group of `width` numbers starts with a new word, so that a thread of
// another kernel reads a group (the gates of a unit) without unpacking its neighbours. A thread makes one word.
struct Params { length: u32, width: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let word = linearIndex(group, groups, thread);
  let words = (params.width + 1u) / 2u;
  let start = word / words * params.width;
  let at = start + word % words * 2u;
  if (at >= params.length) { return; }
  var pair = vec2(x[at], 0.0);
  if (at + 1u < min(params.length, start + params.width)) { pair.y = x[at + 1u]; }
  // A value too large for half precision becomes NaN. Infinity would pass unnoticed: a gate would squash it into an
  // ordinary number.
  let fits = abs(pair) <= vec2(65504.0);
  y[word] = pack2x16float(select(vec2<f32>(), pair, fits)) | select(0x7e00u, 0u, fits.x) | select(0x7e000000u, 0u, fits.y);
}
