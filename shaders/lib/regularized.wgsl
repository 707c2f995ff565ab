// Code of both passes of a regularized layer: the elements that a workgroup normalises over, places of numbers, sums,
// masks. src/recurrent/kernels/regularized-lane.ts has the same arithmetic.

// 0: nothing is normalised; 1: over the units of a row (layer); 2: over the rows of the batch.
override normalizes: u32 = 0u;
// Bits of the gates that layer normalisation takes together, in two groups; a gate without parameters is in neither.
override firstGates: u32 = 0u;
override secondGates: u32 = 0u;
// Whether the memory is normalised on its way to h.
override normalizesMemory: bool = false;
// Whether zoneout acts, and whether elements of h_{t-1} are dropped in the product.
override zones: bool = false;
override drops: bool = false;
// The product U·h_{t-1} is computed here, step after step, and not by a dispatch between two steps.
override fused: bool = false;
// Threads that share the elements: all, or in kernels whose threads share sums as many as there may be units.
override workers: u32;

struct Params {
  lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32, count: u32, tail: u32,
  stream: u32, draws: u32, zoneH: f32, zoneC: f32, dropP: f32, epsilon: f32, statistics: u32, momentum: f32, keptSteps: u32,
}

// A workgroup owns a row (or, over the batch, a unit) in one lane; its threads share the elements.
struct Element { row: u32, unit: u32, at: u32 }
fn elementCount() -> u32 { return select(params.H, params.B, normalizes == 2u); }
fn elementOf(group: u32, e: u32) -> Element {
  let row = select(group, e, normalizes == 2u);
  let unit = select(e, group, normalizes == 2u);
  return Element(row, unit, row * params.H + unit);
}
// The number of elements in a sum. A row that has ended is alone in its workgroup, or is left out of its unit's.
fn membersAt(t: u32) -> f32 {
  if (normalizes != 2u) { return f32(params.H); }
  var alive = 0u;
  for (var row = 0u; row < params.B; row++) { alive += select(0u, 1u, hasStep(row, t)); }
  return f32(max(alive, 1u));
}

// Which statistics count: 1 for the batch's, which are kept; 2 for those kept before. Rows have their own only.
fn statisticsAre(mode: u32) -> bool { return normalizes == 2u && params.statistics == mode; }

fn aligned(size: u32) -> u32 { return (size + 63u) / 64u * 64u; }

// Rows of weights behind U and b_hh: the input side's gain, b_ih, the recurrent side's gain, the memory's gain and bias.
fn matrixOf(lane: u32) -> u32 {
  return laneStart(lane, (params.H + 1u + perUnitRows + select(0u, 4u, normalizes != 0u)) * params.H);
}
fn rowOfWeights(lane: u32, n: u32, unit: u32) -> PackedGates { return weightAt(matrixOf(lane) + (params.H + n) * params.H + unit); }
fn gain(lane: u32, n: u32, unit: u32) -> vec4<f32> { return vectorOf(rowOfWeights(lane, 1u + perUnitRows + n, unit)); }
fn perUnitOf(lane: u32, unit: u32) -> Gates {
  if (perUnitRows > 0u) { return named(rowOfWeights(lane, 1u, unit)); }
  return Gates();
}

// For each lane, `recurrent` has the normalised input side (if there is one), the recurrent side, and each step's statistics.
struct Place { x: u32, r: u32, statistics: u32 }
fn placeOf(lane: u32, group: u32, step: StepPlaces) -> Place {
  let size = params.B * params.H;
  let part = aligned(params.steps * size) * gateCount;
  let groups = select(params.B, params.H, normalizes == 2u);
  let sides = select(1u, 2u, normalizes != 0u);
  let whole = sides * part + aligned(params.steps * groups * 12u);
  let local = (step.gates - laneStart(lane, params.steps * size)) / size;
  let x = lane * whole + local * size * gateCount;
  return Place(x, x + (sides - 1u) * part, lane * whole + sides * part + (local * groups + group) * 12u);
}
fn load(at: u32) -> vec4<f32> {
  var v = vec4<f32>();
  for (var g = 0u; g < gateCount; g++) { v[g] = recurrent[at + g]; }
  return v;
}
fn save(at: u32, v: vec4<f32>) { for (var g = 0u; g < gateCount; g++) { recurrent[at + g] = v[g]; } }

// Both sides at once, gate by gate.
struct Sides { x: vec4<f32>, r: vec4<f32> }
// Sums of each number of all threads, then of eight parts of them. The other side's numbers count over the batch only, and
// lie behind those of the first. Firefox (naga) crashes on an array whose length is a product of overrides.
override partialLength: u32;
var<workgroup> partial: array<vec4<f32>, partialLength>;
var<workgroup> folded: array<vec4<f32>, 16>;

fn putNumbers(first: u32, numbers: vec4<f32>, thread: u32) {
  for (var n = 0u; n < 4u; n++) { partial[((first + n) * workers + thread) / 4u][thread % 4u] = numbers[n]; }
}
fn sumOf(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }
fn foldedNumber(n: u32) -> f32 { return sumOf(folded[2u * n] + folded[2u * n + 1u]); }
fn foldedNumbers(first: u32) -> vec4<f32> {
  return vec4(foldedNumber(first), foldedNumber(first + 1u), foldedNumber(first + 2u), foldedNumber(first + 3u));
}

// The sum over all threads, in a fixed order; all threads must call this. Over the units of a row, that of x only. No
// barrier must come first: when all have passed the first one, all have read the sum before.
fn foldSides(value: Sides, thread: u32) -> Sides {
  if (thread < workers) {
    putNumbers(0u, value.x, thread);
    if (normalizes == 2u) { putNumbers(4u, value.r, thread); }
  }
  workgroupBarrier();
  if (thread < select(32u, 64u, normalizes == 2u)) {
    let each = workers / 32u;
    var total = vec4<f32>();
    for (var n = 0u; n < each; n++) { total += partial[thread * each + n]; }
    folded[thread / 4u][thread % 4u] = sumOf(total);
  }
  workgroupBarrier();
  if (normalizes == 2u) { return Sides(foldedNumbers(0u), foldedNumbers(4u)); }
  return Sides(foldedNumbers(0u), vec4<f32>());
}

fn gatesIn(bits: u32) -> vec4<f32> { return select(vec4(0.0), vec4(1.0), ((vec4(bits) >> vec4(0u, 1u, 2u, 3u)) & vec4(1u)) == vec4(1u)); }
// Means of what the threads have summed over n elements: of each gate by itself, or of the gates that belong together.
// Those of a row need four numbers: two groups of gates on both sides.
fn meansOf(sum: Sides, n: f32, thread: u32) -> Sides {
  if (normalizes == 2u) {
    let total = foldSides(sum, thread);
    return Sides(total.x / n, total.r / n);
  }
  let one = gatesIn(firstGates);
  let other = gatesIn(secondGates);
  let groups = vec4(dot(sum.x, one), dot(sum.x, other), dot(sum.r, one), dot(sum.r, other));
  let counts = n * max(vec2(dot(one, one), dot(other, other)), vec2(1.0));
  let mean = foldSides(Sides(groups, vec4<f32>()), thread).x / counts.xyxy;
  return Sides(one * mean.x + other * mean.y, one * mean.z + other * mean.w);
}

// The shares of h and c before the step that remain: drawn as 0 or 1, or the expected shares (Krueger et al. 2017).
fn remains(lane: u32, t: u32, at: u32) -> vec2<f32> {
  let p = vec2(params.zoneH, params.zoneC);
  if (!zones || params.draws == 0u) { return p; }
  let words = philox(vec4(t * params.B * params.H + at, params.stream + 2u * lane + 1u, random.zw), random.xy);
  return select(vec2(0.0), vec2(1.0), vec2(uniformOf(words.x), uniformOf(words.y)) < p);
}
// The factor of h_{t-1} in the product, the same at every step (Gal & Ghahramani 2016). It has the numbers of dropout.wgsl.
fn dropFactor(lane: u32, at: u32) -> f32 {
  let words = philox(vec4(at / 4u, params.stream + 2u * lane, random.zw), random.xy);
  if (uniformOf(words[at % 4u]) < params.dropP) { return 0.0; }
  return 1.0 / (1.0 - params.dropP);
}
