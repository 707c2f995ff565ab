// Long short-term memory; equations in src/kernels/cells/lstm.ts. Lanes of Gates: i f g o.
override forgets: bool = true;
override coupled: bool = false;
override squashes: bool = true;
override hasPeepholes: bool = false;
alias Gates = vec4<f32>;
alias HalfGates = vec2<u32>;
const splitsRecurrentGradient = false;
const usesC = true;

fn fromHalf(w: HalfGates) -> Gates { return Gates(unpack2x16float(w.x), unpack2x16float(w.y)); }
fn multiplyAdd(scale: f32, w: Gates, sum: Gates) -> Gates { return fma(vec4(scale), w, sum); }
fn dotGates(d: Gates, w: Gates) -> f32 { return dot(d, w); }

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, peepholes: Gates) -> CellForward {
  var a = x + r;
  if (hasPeepholes) { a += vec4(peepholes.xy * cPrevious, 0.0, 0.0); }
  let i = sigmoid(a.x);
  var f = 1.0;
  if (forgets) { f = sigmoid(a.y); } else if (coupled) { f = 1.0 - i; }
  let g = safeTanh(a.z);
  let c = f * cPrevious + i * g;
  if (hasPeepholes) { a.w += peepholes.w * c; }
  let o = sigmoid(a.w);
  var out = c;
  if (squashes) { out = safeTanh(c); }
  return CellForward(Gates(i, f, g, o), o * out, c);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, peepholes: Gates) -> CellBackward {
  let i = gates.x;
  let f = gates.y;
  let g = gates.z;
  let o = gates.w;
  var out = c;
  var slope = 1.0;
  if (squashes) {
    out = safeTanh(c);
    slope = 1.0 - out * out;
  }
  let dOutput = dh * out * o * (1.0 - o);
  var dcTotal = dc + dh * o * slope;
  if (hasPeepholes) { dcTotal += dOutput * peepholes.w; }
  var written = g;
  if (coupled) { written -= cPrevious; }
  let dInput = dcTotal * written * i * (1.0 - i);
  var dForget = 0.0;
  if (forgets) { dForget = dcTotal * cPrevious * f * (1.0 - f); }
  let dGates = Gates(dInput, dForget, dcTotal * i * (1.0 - g * g), dOutput);
  var dcPrevious = dcTotal * f;
  if (hasPeepholes) { dcPrevious += dInput * peepholes.x + dForget * peepholes.y; }
  return CellBackward(dGates, dGates, 0.0, dcPrevious);
}
