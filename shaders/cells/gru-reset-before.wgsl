// Gated recurrent unit, reset before the recurrent product; equations in src/kernels/cells/gru-reset-before.ts.
struct Gates { r: f32, z: f32, n: f32 }

fn multiplyAdd(scale: f32, w: Gates, sum: Gates) -> Gates {
  if (phase == 0u) { return Gates(fma(scale, w.r, sum.r), fma(scale, w.z, sum.z), sum.n); }
  return Gates(sum.r, sum.z, fma(scale, w.n, sum.n));
}

fn firstForward(x: Gates, recurrent: Gates, hPrevious: f32) -> FirstForward {
  let r = sigmoid(x.r + recurrent.r);
  return FirstForward(Gates(r, sigmoid(x.z + recurrent.z), x.n), r * hPrevious);
}

fn secondForward(gates: Gates, recurrent: Gates, hPrevious: f32) -> SecondForward {
  let n = safeTanh(gates.n + recurrent.n);
  return SecondForward(Gates(gates.r, gates.z, n), (1.0 - gates.z) * n + gates.z * hPrevious);
}

// In the backward pass threads read the lanes of others while they write their own; these touch single lanes.
fn dotGates(at: u32, w: Gates) -> f32 {
  if (phase == 0u) { return gates[at].r * w.r + gates[at].z * w.z; }
  return gates[at].n * w.n;
}
fn storeSecond(at: u32, d: Gates) { gates[at].r = d.r; }

fn firstBackward(gates: Gates, hPrevious: f32, dh: f32) -> FirstBackward {
  let dz = dh * (hPrevious - gates.n) * gates.z * (1.0 - gates.z);
  let dn = dh * (1.0 - gates.z) * (1.0 - gates.n * gates.n);
  return FirstBackward(Gates(gates.r, dz, dn), dh * gates.z, 0.0);
}

fn secondBackward(gates: Gates, hPrevious: f32, dOperand: f32, kept: f32) -> SecondBackward {
  let dr = dOperand * hPrevious * gates.r * (1.0 - gates.r);
  return SecondBackward(Gates(dr, gates.z, gates.n), dOperand * gates.r);
}
