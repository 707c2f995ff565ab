// The gates of one phase of a GRU with the reset before the product: r and z in the first, n in the second.

// The gates of a phase, with zeros for the others.
fn ofPhase(phase: u32, gates: PackedGates) -> PackedGates {
  if (phase == 0u) { return PackedGates(gates.r, gates.z, 0.0); }
  return PackedGates(0.0, 0.0, gates.n);
}

fn multiplyAddIn(phase: u32, scale: f32, w: PackedGates, sum: PackedGates) -> PackedGates {
  if (phase == 0u) { return PackedGates(fma(scale, w.r, sum.r), fma(scale, w.z, sum.z), sum.n); }
  return PackedGates(sum.r, sum.z, fma(scale, w.n, sum.n));
}

fn dotGatesIn(phase: u32, d: PackedGates, w: PackedGates, sum: f32) -> f32 {
  if (phase == 0u) { return fma(d.z, w.z, fma(d.r, w.r, sum)); }
  return fma(d.n, w.n, sum);
}

// In the backward pass of a step, threads read others' gates while they write their own, so they read one phase's only.
fn gatesAt(phase: u32, at: u32) -> PackedGates {
  if (phase == 0u) { return PackedGates(gates[at].r, gates[at].z, 0.0); }
  return PackedGates(0.0, 0.0, gates[at].n);
}

fn storeFirstGates(at: u32, d: Gates) {
  gates[at].r = d.r;
  gates[at].z = d.z;
}
