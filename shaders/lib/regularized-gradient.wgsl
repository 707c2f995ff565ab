// The gradients that a regularized layer carries from step to step, and their part that reaches the cell.

// Parts of a lane's carry: dh and dc side by side, the product, sums for the gains and biases (input, then recurrent
// side), the recurrent side's gradient before its norm, sums for the gain and bias of the memory.
fn partOf(lane: u32, n: u32) -> u32 {
  let parts = select(3u, 5u + 5u * gateCount, normalizes != 0u);
  return (lane * parts + n) * aligned(params.B * params.H);
}
fn addTo(lane: u32, n: u32, at: u32, v: vec4<f32>) {
  let first = partOf(lane, 3u + n * gateCount) + at * gateCount;
  for (var g = 0u; g < gateCount; g++) { carry[first + g] += v[g]; }
}

// ∂L/∂h and ∂L/∂c of the cell's results, and the gradients that bypass the cell, for h_{t-1} and c_{t-1}.
struct Reaching { h: f32, c: f32, hBeside: f32, cBeside: f32 }
fn reaching(lane: u32, step: Step, at: u32, alive: bool) -> Reaching {
  let pair = partOf(lane, 0u) + 2u * at;
  var product = carry[partOf(lane, 2u) + at];
  if (drops) { product *= dropFactor(lane, at); }
  var dh = carry[pair] + product;
  let dc = carry[pair + 1u];
  if (!alive) { return Reaching(0.0, 0.0, dh, dc); }
  dh += dy[step.dy + at];
  let kept = remains(lane, step.t, at);
  return Reaching((1.0 - kept.x) * dh, (1.0 - kept.y) * dc, kept.x * dh, kept.y * dc);
}

// The normalised memory; ∂L/∂(the output gate's sum); ∂L/∂(the memory after gain and bias); the gain.
struct NormalizedMemory { normalized: f32, dOutput: f32, dRead: f32, gain: f32 }
fn memoryOf(lane: u32, step: Step, place: Place, element: Element, dh: f32) -> NormalizedMemory {
  let out = named(gates[step.gates + element.at]);
  let parts = gain(lane, 3u, element.unit);
  let normalized = (stateOf(out, 0.0, c[step.cPrevious + element.at]).y - recurrent[place.statistics + 8u]) * recurrent[place.statistics + 9u];
  let read = readOutBackward(out, normalized * parts.x + parts.y, dh);
  return NormalizedMemory(normalized, read.x, read.y, parts.x);
}
