// Elman network; equations in src/recurrent/cells/rnn.ts.
override relu: bool = false;

// h and c that activated gates make.
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2(gates.h, 0.0); }

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, perUnit: Gates) -> CellForward {
  var h = x.h + r.h;
  if (relu) { h = max(h, 0.0); } else { h = safeTanh(h); }
  return CellForward(Gates(h), h, 0.0);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, perUnit: Gates) -> CellBackward {
  var d = dh;
  if (relu) { d *= select(0.0, 1.0, h > 0.0); } else { d *= 1.0 - h * h; }
  return CellBackward(Gates(d), Gates(d), 0.0, 0.0);
}
