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
override threads: u32;

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
fn placeOf(lane: u32, group: u32, step: Step) -> Place {
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
var<workgroup> partial: array<Sides, threads>;
var<workgroup> folded: array<Sides, 16>;

// The sum over all threads, in a fixed order; all threads must call this.
fn fold(value: Sides, thread: u32) -> Sides {
  // After this barrier, all threads have read the previous sum.
  workgroupBarrier();
  partial[thread] = value;
  workgroupBarrier();
  var total = Sides();
  if (thread < 16u) {
    for (var i = thread; i < threads; i += 16u) { total = Sides(total.x + partial[i].x, total.r + partial[i].r); }
    folded[thread] = total;
  }
  workgroupBarrier();
  total = Sides();
  for (var i = 0u; i < 16u; i++) { total = Sides(total.x + folded[i].x, total.r + folded[i].r); }
  return total;
}

fn gatesIn(bits: u32) -> vec4<f32> { return select(vec4(0.0), vec4(1.0), ((vec4(bits) >> vec4(0u, 1u, 2u, 3u)) & vec4(1u)) == vec4(1u)); }
// Means from sums over n elements: of each gate by itself, or of the gates that belong together.
fn meanOf(sum: vec4<f32>, n: f32) -> vec4<f32> {
  if (normalizes == 2u) { return sum / n; }
  let one = gatesIn(firstGates);
  let other = gatesIn(secondGates);
  return one * (dot(sum, one) / (n * max(dot(one, one), 1.0))) + other * (dot(sum, other) / (n * max(dot(other, other), 1.0)));
}
fn meansOf(sum: Sides, n: f32) -> Sides { return Sides(meanOf(sum.x, n), meanOf(sum.r, n)); }

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
