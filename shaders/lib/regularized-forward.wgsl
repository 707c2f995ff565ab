// Buffers of a regularized layer forward, and what becomes of one element in one step.
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(0) @binding(5) var<storage, read_write> recurrent: array<f32>;
@group(0) @binding(6) var<storage, read_write> masked: array<f32>;
@group(0) @binding(7) var<storage, read_write> running: array<f32>;
@group(0) @binding(8) var<uniform> random: vec4<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// What a fused kernel, whose threads have an element each, keeps of it: both sides of the gates, h and c before the step, the
// activated gates and the memory. Others read it anew for each part of a step.
struct Kept { sides: Sides, h: f32, c: f32, gates: Gates, memory: f32 }
var<private> kept: Kept;

fn loadH(step: StepPlaces, element: Element) -> f32 { return h[step.hPrevious + element.at]; }
fn loadC(step: StepPlaces, element: Element) -> f32 {
  if (usesC) { return c[step.cPrevious + element.at]; }
  return 0.0;
}
fn hOf(step: StepPlaces, element: Element) -> f32 {
  if (fused) { return kept.h; }
  return loadH(step, element);
}
fn cOf(step: StepPlaces, element: Element) -> f32 {
  if (fused) { return kept.c; }
  return loadC(step, element);
}
fn sidesOf(step: StepPlaces, place: Place, element: Element) -> Sides {
  if (fused) { return kept.sides; }
  return Sides(vectorOf(gates[step.gates + element.at]), load(place.r + element.at * gateCount));
}
fn activatedOf(step: StepPlaces, element: Element) -> Gates {
  if (fused) { return kept.gates; }
  return named(gates[step.gates + element.at]);
}
fn memoryOf(step: StepPlaces, element: Element) -> f32 {
  if (fused) { return kept.memory; }
  return stateOf(activatedOf(step, element), 0.0, cOf(step, element)).y;
}

// Both sides of a fused kernel's element. That of the input is loaded while the product is computed.
fn computeSides(lane: u32, step: StepPlaces, place: Place, element: Element, exists: bool, thread: u32) {
  var x = PackedGates();
  if (exists) { x = gates[step.gates + element.at]; }
  var operand = kept.h;
  if (drops && exists) { operand = masked[step.hPrevious + element.at]; }
  let r = vectorOf(multiply(lane, operand, thread));
  if (exists) { save(place.r + element.at * gateCount, r); }
  kept.sides = Sides(vectorOf(x), r);
}

fn finish(lane: u32, step: StepPlaces, element: Element, state: f32, hPrevious: f32, remaining: f32) {
  let mixed = (1.0 - remaining) * state + remaining * hPrevious;
  h[step.hCurrent + element.at] = mixed;
  kept.h = mixed;
  if (drops) { masked[step.hCurrent + element.at] = mixed * dropFactor(lane, element.at); }
}
fn storeC(step: StepPlaces, element: Element, value: f32) {
  if (!usesC) { return; }
  c[step.cCurrent + element.at] = value;
  kept.c = value;
}

// The cell of one element. Returns its memory, if h waits for its norm.
fn advance(lane: u32, step: StepPlaces, place: Place, element: Element, mean: Sides, scale: Sides) -> f32 {
  let hPrevious = hOf(step, element);
  let cPrevious = cOf(step, element);
  // A row that has ended (or, in reverse, not begun) keeps its state.
  if (!hasStep(element.row, step.t)) {
    storeC(step, element, cPrevious);
    finish(lane, step, element, hPrevious, hPrevious, 0.0);
    return 0.0;
  }
  var sides = sidesOf(step, place, element);
  if (normalizes != 0u) {
    sides = Sides((sides.x - mean.x) * scale.x, (sides.r - mean.r) * scale.r);
    save(place.x + element.at * gateCount, sides.x);
    save(place.r + element.at * gateCount, sides.r);
    sides.x = sides.x * gain(lane, 0u, element.unit) + gain(lane, 1u, element.unit);
    sides.r *= gain(lane, 2u, element.unit);
  }
  sides.r += vectorOf(rowOfWeights(lane, 0u, element.unit));
  let out = cellForward(named(gatesOf(sides.x)), named(gatesOf(sides.r)), hPrevious, cPrevious, perUnitOf(lane, element.unit));
  gates[step.gates + element.at] = packed(out.gates);
  let remaining = remains(lane, step.t, element.at);
  if (normalizesMemory) {
    kept.gates = out.gates;
    kept.memory = stateOf(out.gates, hPrevious, cPrevious).y;
  } else {
    finish(lane, step, element, out.h, hPrevious, remaining.x);
  }
  if (hasMemory) { storeC(step, element, (1.0 - remaining.y) * out.c + remaining.y * cPrevious); } else { storeC(step, element, out.c); }
  return kept.memory;
}


// Computes h from the normalised memory. In a kernel that keeps nothing it is made again from the gates, since the stored c is
// the one after zoneout.
fn finishMemory(lane: u32, group: u32, i: u32, step: StepPlaces, place: Place, n: f32, sum: Sides, thread: u32) {
  let elements = elementCount();
  var mean = foldSides(sum, thread).x.x / n;
  var squares = Sides();
  for (var e = thread; e < elements; e += threads) {
    let element = elementOf(group, e);
    if (hasStep(element.row, step.t)) {
      let away = memoryOf(step, element) - mean;
      squares.x.x += away * away;
    }
    if (fused) { break; }
  }
  var variance = foldSides(squares, thread).x.x / n;
  if (statisticsAre(1u) && thread == 0u) {
    keep(runningAt(params.first + i, 4u * gateCount, group), mean, n);
    keep(runningAt(params.first + i, 4u * gateCount + 1u, group), variance * n / max(n - 1.0, 1.0), n);
  }
  if (statisticsAre(2u)) {
    mean = running[runningAt(params.first + i, 4u * gateCount, group)];
    variance = running[runningAt(params.first + i, 4u * gateCount + 1u, group)];
  }
  let scale = inverseSqrt(variance + params.epsilon);
  if (thread == 0u) {
    recurrent[place.statistics + 8u] = mean;
    recurrent[place.statistics + 9u] = scale;
  }
  for (var e = thread; e < elements; e += threads) {
    let element = elementOf(group, e);
    if (hasStep(element.row, step.t)) {
      let parts = gain(lane, 3u, element.unit);
      let state = readOut(activatedOf(step, element), (memoryOf(step, element) - mean) * scale * parts.x + parts.y);
      finish(lane, step, element, state, hOf(step, element), remains(lane, step.t, element.at).x);
    }
    if (fused) { break; }
  }
}
