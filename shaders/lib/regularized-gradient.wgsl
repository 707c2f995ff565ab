// Buffers of a regularized layer's BPTT, and what becomes of one element in one step.
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> carry: array<f32>;
@group(0) @binding(6) var<storage, read_write> recurrent: array<f32>;
@group(0) @binding(7) var<storage, read> lengths: array<u32>;
@group(0) @binding(8) var<uniform> random: vec4<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// What an element carries from step to step: ∂L/∂h and ∂L/∂c, and the product dr·U.
struct Carried { dh: f32, dc: f32, product: f32 }
// The normalised memory; ∂L/∂(the output gate's sum); ∂L/∂(the memory after gain and bias); the gain.
struct NormalizedMemory { normalized: f32, dOutput: f32, dRead: f32, gain: f32 }
// What a fused kernel, whose threads have an element each, keeps of it: what it carries; in a step its memory, both sides and
// their gradients. Others read it anew for each part of a step.
struct Kept { carried: Carried, memory: NormalizedMemory, sides: Sides, d: Sides }
var<private> kept: Kept;

// Parts of a lane's carry: dh and dc side by side, the product, sums for the gains and biases (input, then recurrent
// side), the recurrent side's gradient before its norm, sums for the gain and bias of the memory.
fn partOf(lane: u32, n: u32) -> u32 {
  let parts = select(3u, 5u + 5u * gateCount, normalizes != 0u);
  return (lane * parts + n) * aligned(params.B * params.H);
}
fn gatesPart(lane: u32, n: u32, at: u32) -> u32 { return partOf(lane, 3u + n * gateCount) + at * gateCount; }
fn loadGates(first: u32) -> vec4<f32> {
  var v = vec4<f32>();
  for (var g = 0u; g < gateCount; g++) { v[g] = carry[first + g]; }
  return v;
}
fn saveGates(first: u32, v: vec4<f32>) { for (var g = 0u; g < gateCount; g++) { carry[first + g] = v[g]; } }

// Adds to the sums for gains and biases. All are loaded before the first is stored, so that a thread waits once.
fn addToGains(lane: u32, at: u32, d: Sides, sides: Sides) {
  let inputGain = loadGates(gatesPart(lane, 0u, at));
  let inputBias = loadGates(gatesPart(lane, 1u, at));
  let recurrentGain = loadGates(gatesPart(lane, 2u, at));
  let recurrentBias = loadGates(gatesPart(lane, 3u, at));
  saveGates(gatesPart(lane, 0u, at), inputGain + d.x * sides.x);
  saveGates(gatesPart(lane, 1u, at), inputBias + d.x);
  saveGates(gatesPart(lane, 2u, at), recurrentGain + d.r * sides.r);
  saveGates(gatesPart(lane, 3u, at), recurrentBias + d.r);
}

fn loadCarried(lane: u32, at: u32) -> Carried {
  let pair = partOf(lane, 0u) + 2u * at;
  return Carried(carry[pair], carry[pair + 1u], carry[partOf(lane, 2u) + at]);
}
fn storeCarried(lane: u32, at: u32, one: Carried) {
  let pair = partOf(lane, 0u) + 2u * at;
  carry[pair] = one.dh;
  carry[pair + 1u] = one.dc;
  carry[partOf(lane, 2u) + at] = one.product;
}
fn carriedOf(lane: u32, at: u32) -> Carried {
  if (fused) { return kept.carried; }
  return loadCarried(lane, at);
}
fn carryOn(lane: u32, at: u32, one: Carried) {
  if (fused) { kept.carried = one; } else { storeCarried(lane, at, one); }
}

// ∂L/∂h and ∂L/∂c of the cell's results, and the gradients that bypass the cell, for h_{t-1} and c_{t-1}.
struct Reaching { h: f32, c: f32, hBeside: f32, cBeside: f32 }
fn reaching(lane: u32, step: StepPlaces, at: u32, alive: bool, one: Carried) -> Reaching {
  var product = one.product;
  if (drops) { product *= dropFactor(lane, at); }
  var dh = one.dh + product;
  if (!alive) { return Reaching(0.0, 0.0, dh, one.dc); }
  dh += dy[step.dy + at];
  let remaining = remains(lane, step.t, at);
  return Reaching((1.0 - remaining.x) * dh, (1.0 - remaining.y) * one.dc, remaining.x * dh, remaining.y * one.dc);
}

fn computeMemory(lane: u32, step: StepPlaces, place: Place, element: Element, dh: f32) -> NormalizedMemory {
  let out = named(gates[step.gates + element.at]);
  let parts = gain(lane, 3u, element.unit);
  let normalized = (stateOf(out, 0.0, c[step.cPrevious + element.at]).y - recurrent[place.statistics + 8u]) * recurrent[place.statistics + 9u];
  let read = readOutBackward(out, normalized * parts.x + parts.y, dh);
  return NormalizedMemory(normalized, read.x, read.y, parts.x);
}
fn memoryOf(lane: u32, step: StepPlaces, place: Place, element: Element, dh: f32) -> NormalizedMemory {
  if (fused && !statisticsAre(2u)) { return kept.memory; }
  return computeMemory(lane, step, place, element, dh);
}

// A row that lacks the step passes its gradient on, and in a gap also the repeated output's. Its gates had no part in it.
fn skipStep(lane: u32, step: StepPlaces, place: Place, element: Element) {
  var one = carriedOf(lane, element.at);
  one.dh = reaching(lane, step, element.at, false, one).hBeside;
  if (hasGaps) { one.dh += dy[step.dy + element.at]; }
  one.product = 0.0;
  carryOn(lane, element.at, one);
  gates[step.gates + element.at] = PackedGates();
  save(place.r + element.at * gateCount, vec4<f32>());
  kept.d = Sides();
}
