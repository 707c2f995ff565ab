// dWeight[v] (+)= Σ dy_n over the rows n with ids_{firstId+n} = v. A workgroup owns 256 columns of one row v of dWeight, so
// no two write the same element. Its threads first mark which of 2048 ids are v, a word of 32 bits each; then each
// thread goes through the marks, which are few, and sums four columns, 64 apart.
struct Params { rows: u32, columns: u32, vocabulary: u32, accumulate: u32, firstId: u32 }
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> dWeight: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
var<workgroup> marks: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let blocks = (params.columns + 255u) / 256u;
  let v = groupIndex(group, groups) / blocks;
  if (v >= params.vocabulary) { return; }
  let column = (groupIndex(group, groups) % blocks) * 256u + thread;
  var sums = vec4<f32>();
  for (var first = 0u; first < params.rows; first += 2048u) {
    var word = 0u;
    for (var bit = 0u; bit < 32u; bit++) {
      // Neighbouring threads read neighbouring ids.
      let n = first + bit * 64u + thread;
      if (n < params.rows) { word |= select(0u, 1u << bit, ids[params.firstId + n] == v); }
    }
    marks[thread] = word;
    workgroupBarrier();
    for (var other = 0u; other < 64u; other++) {
      var left = marks[other];
      while (left != 0u) {
        let at = (first + firstTrailingBit(left) * 64u + other) * params.columns + column;
        // Values read past the last column are not stored.
        if (params.columns > 64u) { sums += vec4(dy[at], dy[at + 64u], dy[at + 128u], dy[at + 192u]); }
        else { sums.x += dy[at]; }
        left &= left - 1u;
      }
    }
    workgroupBarrier();
  }
  for (var j = 0u; j < 4u && column + j * 64u < params.columns; j++) {
    let at = v * params.columns + column + j * 64u;
    if (params.accumulate != 0u) { sums[j] += dWeight[at]; }
    dWeight[at] = sums[j];
  }
}
