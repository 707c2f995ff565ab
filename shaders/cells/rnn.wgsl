// Elman network; equations in src/recurrent/cells/rnn.ts.

// h and c from activated gates.
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2(gates.h, 0.0); }

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, perUnit: Gates) -> CellForward {
  let h = candidateFunction(x.h + r.h);
  return CellForward(Gates(h), h, 0.0);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, perUnit: Gates) -> CellBackward {
  let d = Gates(candidateGradient(dh, h));
  return CellBackward(d, d, 0.0, 0.0);
}
