// Draws each row's next token by the Gumbel-max trick, among its topK largest logits; a workgroup owns a row.
struct Params { rows: u32, columns: u32, capacity: u32, stream: u32, separate: u32 }
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> sampling: array<f32>;
@group(0) @binding(2) var<storage, read> random: array<u32>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(5) var<storage, read_write> history: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

const none = 0xffffffffu;
var<workgroup> counts: array<u32, 64>;
var<workgroup> scores: array<f32, 64>;
var<workgroup> columns: array<u32, 64>;

// A word that sorts like the number; -0 sorts like 0.
fn keyOf(x: f32) -> u32 {
  let bits = bitcast<u32>(select(x, 0.0, x == 0.0));
  return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) != 0u);
}

// The key of the topK-th largest logit, found bit by bit: the largest key that at least topK keys reach.
fn thresholdOf(at: u32, topK: u32, thread: u32) -> u32 {
  var threshold = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    let candidate = threshold | (0x80000000u >> bit);
    var reached = 0u;
    for (var column = thread; column < params.columns; column += 64u) {
      reached += select(0u, 1u, keyOf(logits[at + column]) >= candidate);
    }
    counts[thread] = reached;
    workgroupBarrier();
    // Every thread adds up all counts. This takes two barriers; a reduction by halves takes seven.
    var total = 0u;
    for (var other = 0u; other < 64u; other++) { total += counts[other]; }
    if (total >= topK) { threshold = candidate; }
    workgroupBarrier();
  }
  return threshold;
}

// -ln(-ln u), computed from v = 1 - u. For u near 1, which are the large draws, log(u) has few correct digits; the
// series v + v²/2 + v³/3 of -ln(1 - v) has all of them for a small v.
fn gumbelOf(word: u32) -> f32 {
  let v = openUniformOf(word);
  let exponential = select(-log(1.0 - v), v * (1.0 + v * (0.5 + v / 3.0)), v < 0.01);
  return -log(exponential);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = groupIndex(group, groups);
  if (row >= params.rows) { return; }
  let at = row * params.columns;
  let temperature = sampling[0];
  let topK = u32(sampling[1]);
  // Where the row's random words are, and what distinguishes it from rows with the same ones.
  let firstWord = select(0u, row * 4u, params.separate != 0u);
  let streamRow = select(row, 0u, params.separate != 0u);
  var threshold = 0u;
  if (topK > 0u && topK < params.columns) { threshold = thresholdOf(at, topK, thread); }

  var best = -3.4e38;
  var bestColumn = none;
  // Four neighbouring columns share a Philox block, and a thread.
  for (var block = thread; block * 4u < params.columns; block += 64u) {
    let counter = vec4(block, params.stream + streamRow, random[firstWord + 2u] + position[0], random[firstWord + 3u]);
    var words = philox(counter, vec2(random[firstWord], random[firstWord + 1u]));
    for (var column = block * 4u; column < min(block * 4u + 4u, params.columns); column++) {
      let logit = logits[at + column];
      var score = logit;
      if (temperature > 0.0) { score = logit / temperature + gumbelOf(words.x); }
      words = words.yzwx;
      if (keyOf(logit) >= threshold && score > best) {
        best = score;
        bestColumn = column;
      }
    }
  }
  scores[thread] = best;
  columns[thread] = bestColumn;
  workgroupBarrier();
  if (thread != 0u) { return; }
  for (var other = 1u; other < 64u; other++) {
    // Equal scores go to the lower column, so that temperature 0 is argmax as PyTorch has it.
    if (scores[other] > best || (scores[other] == best && columns[other] < bestColumn)) {
      best = scores[other];
      bestColumn = columns[other];
    }
  }
  let token = select(bestColumn, 0u, bestColumn == none);
  tokens[row] = token;
  history[(position[0] % params.capacity) * params.rows + row] = token;
}
