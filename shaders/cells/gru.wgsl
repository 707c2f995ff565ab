// Gated recurrent unit, reset after the recurrent product; equations in src/recurrent/cells/gru.ts.
override hasReset: bool = true;
// -1 if the update gate writes: z always keeps, and 1 - σ(a) = σ(-a).
override updateSign: f32 = 1.0;

fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2((1.0 - gates.z) * gates.n + gates.z * hPrevious, 0.0); }

fn cellForward(x: Gates, recurrent: Gates, hPrevious: f32, cPrevious: f32, perUnit: Gates) -> CellForward {
  var r = 1.0;
  if (hasReset) { r = gateFunction(x.r + recurrent.r); }
  let z = gateFunction(updateSign * (x.z + recurrent.z));
  let n = candidateFunction(x.n + r * recurrent.n);
  let gates = Gates(r, z, n);
  return CellForward(gates, stateOf(gates, hPrevious, cPrevious).x, recurrent.n);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, perUnit: Gates) -> CellBackward {
  let dn = candidateGradient(dh * (1.0 - gates.z), gates.n);
  var dr = 0.0;
  if (hasReset) { dr = gateGradient(dn * c, gates.r); }
  let dz = gateGradient(updateSign * dh * (hPrevious - gates.n), gates.z);
  return CellBackward(Gates(dr, dz, dn), Gates(dr, dz, dn * gates.r), dh * gates.z, 0.0);
}
