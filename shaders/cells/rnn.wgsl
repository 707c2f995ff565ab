// Elman network; equations in src/recurrent/cells/rnn.ts.
override relu: bool = false;
alias Gates = f32;
alias HalfGates = u32;
const splitsRecurrentGradient = false;
const hasPeepholes = false;
const usesC = false;
const hasMemory = false;
const gateCount = 1u;

fn fromHalf(w: HalfGates) -> Gates { return unpack2x16float(w).x; }
fn multiplyAdd(scale: f32, w: Gates, sum: Gates) -> Gates { return fma(scale, w, sum); }
fn dotGates(d: Gates, w: Gates) -> f32 { return d * w; }
fn vectorOf(gates: Gates) -> vec4<f32> { return vec4(gates, 0.0, 0.0, 0.0); }
fn gatesOf(v: vec4<f32>) -> Gates { return v.x; }
// h and c that activated gates make.
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2(gates, 0.0); }

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, peepholes: Gates) -> CellForward {
  var h = x + r;
  if (relu) { h = max(h, 0.0); } else { h = safeTanh(h); }
  return CellForward(h, h, 0.0);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, peepholes: Gates) -> CellBackward {
  var d = dh;
  if (relu) { d *= select(0.0, 1.0, h > 0.0); } else { d *= 1.0 - h * h; }
  return CellBackward(d, d, 0.0, 0.0);
}
