// Gated recurrent unit, reset before the recurrent product; equations in src/recurrent/cells/gru-reset-before.ts.
// updateSign is that of gru.wgsl.
override updateSign: f32 = 1.0;

fn firstForward(x: Gates, recurrent: Gates, hPrevious: f32) -> FirstForward {
  let r = gateFunction(x.r + recurrent.r);
  return FirstForward(Gates(r, gateFunction(updateSign * (x.z + recurrent.z)), x.n), r * hPrevious);
}

fn secondForward(gates: Gates, recurrent: Gates, hPrevious: f32) -> SecondForward {
  let n = candidateFunction(gates.n + recurrent.n);
  return SecondForward(Gates(gates.r, gates.z, n), (1.0 - gates.z) * n + gates.z * hPrevious);
}

fn firstBackward(gates: Gates, hPrevious: f32, dh: f32) -> FirstBackward {
  let dz = gateGradient(updateSign * dh * (hPrevious - gates.n), gates.z);
  let dn = candidateGradient(dh * (1.0 - gates.z), gates.n);
  return FirstBackward(Gates(gates.r, dz, dn), dh * gates.z, 0.0);
}

fn secondBackward(gates: Gates, hPrevious: f32, dOperand: f32, kept: f32) -> SecondBackward {
  let dr = gateGradient(dOperand * hPrevious, gates.r);
  return SecondBackward(Gates(dr, gates.z, gates.n), dOperand * gates.r);
}
