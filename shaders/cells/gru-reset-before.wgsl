// Gated recurrent unit, reset before the recurrent product; equations in src/recurrent/cells/gru-reset-before.ts.
// As in gru.wgsl.
override updateSign: f32 = 1.0;
struct Gates { r: f32, z: f32, n: f32 }
alias HalfGates = vec2<u32>;

fn fromHalf(w: HalfGates) -> Gates {
  let rz = unpack2x16float(w.x);
  return Gates(rz.x, rz.y, unpack2x16float(w.y).x);
}
// Of the phase's lanes only.
fn multiplyAdd(phase: u32, scale: f32, w: Gates, sum: Gates) -> Gates {
  if (phase == 0u) { return Gates(fma(scale, w.r, sum.r), fma(scale, w.z, sum.z), sum.n); }
  return Gates(sum.r, sum.z, fma(scale, w.n, sum.n));
}
fn dotGates(phase: u32, d: Gates, w: Gates) -> f32 {
  if (phase == 0u) { return d.r * w.r + d.z * w.z; }
  return d.n * w.n;
}

// In the backward pass of a step threads read the lanes of others while they write their own; these touch single lanes.
fn lanesAt(phase: u32, at: u32) -> Gates {
  if (phase == 0u) { return Gates(gates[at].r, gates[at].z, 0.0); }
  return Gates(0.0, 0.0, gates[at].n);
}
fn storeSecond(at: u32, d: Gates) { gates[at].r = d.r; }

fn firstForward(x: Gates, recurrent: Gates, hPrevious: f32) -> FirstForward {
  let r = sigmoid(x.r + recurrent.r);
  return FirstForward(Gates(r, sigmoid(updateSign * (x.z + recurrent.z)), x.n), r * hPrevious);
}

fn secondForward(gates: Gates, recurrent: Gates, hPrevious: f32) -> SecondForward {
  let n = safeTanh(gates.n + recurrent.n);
  return SecondForward(Gates(gates.r, gates.z, n), (1.0 - gates.z) * n + gates.z * hPrevious);
}

fn firstBackward(gates: Gates, hPrevious: f32, dh: f32) -> FirstBackward {
  let dz = updateSign * dh * (hPrevious - gates.n) * gates.z * (1.0 - gates.z);
  let dn = dh * (1.0 - gates.z) * (1.0 - gates.n * gates.n);
  return FirstBackward(Gates(gates.r, dz, dn), dh * gates.z, 0.0);
}

fn secondBackward(gates: Gates, hPrevious: f32, dOperand: f32, kept: f32) -> SecondBackward {
  let dr = dOperand * hPrevious * gates.r * (1.0 - gates.r);
  return SecondBackward(Gates(dr, gates.z, gates.n), dOperand * gates.r);
}
