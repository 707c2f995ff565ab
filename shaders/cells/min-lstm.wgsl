// Minimal long short-term memory; equations in src/recurrent/cells/min-lstm.ts.
override positiveCandidate: bool = true;

fn keptShare(gates: Gates) -> f32 { return gates.f / (gates.f + gates.i); }
fn writtenShare(gates: Gates) -> f32 { return gates.i / (gates.f + gates.i); }
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> {
  return vec2(keptShare(gates) * hPrevious + writtenShare(gates) * gates.g, 0.0);
}

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, perUnit: Gates) -> CellForward {
  var g = x.g + r.g;
  if (positiveCandidate) { g = positive(g); }
  let gates = Gates(sigmoid(x.f + r.f), sigmoid(x.i + r.i), g);
  return CellForward(gates, stateOf(gates, hPrevious, cPrevious).x, 0.0);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, perUnit: Gates) -> CellBackward {
  let kept = keptShare(gates);
  let written = writtenShare(gates);
  var dg = dh * written;
  if (positiveCandidate) { dg *= positiveSlope(gates.g); }
  // kept = σ(log f - log i), and d log σ(x) / dx = 1 - σ(x).
  let dShares = dh * (hPrevious - gates.g) * kept * written;
  let d = Gates(dShares * (1.0 - gates.f), -dShares * (1.0 - gates.i), dg);
  return CellBackward(d, d, dh * kept, 0.0);
}
