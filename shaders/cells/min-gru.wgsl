// Minimal gated recurrent unit; equations in src/recurrent/cells/min-gru.ts.
override positiveCandidate: bool = true;

fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2((1.0 - gates.z) * hPrevious + gates.z * gates.n, 0.0); }

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, perUnit: Gates) -> CellForward {
  var n = x.n + r.n;
  if (positiveCandidate) { n = positive(n); }
  let gates = Gates(sigmoid(x.z + r.z), n);
  return CellForward(gates, stateOf(gates, hPrevious, cPrevious).x, 0.0);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, perUnit: Gates) -> CellBackward {
  var dn = dh * gates.z;
  if (positiveCandidate) { dn *= positiveSlope(gates.n); }
  let dz = dh * (gates.n - hPrevious) * gates.z * (1.0 - gates.z);
  let d = Gates(dz, dn);
  return CellBackward(d, d, dh * (1.0 - gates.z), 0.0);
}
