// Long short-term memory; equations in src/recurrent/cells/lstm.ts. Lanes of Gates: i f g o.
override forgets: bool = true;
override coupled: bool = false;
override squashes: bool = true;
override hasPeepholes: bool = false;
alias Gates = vec4<f32>;
alias HalfGates = vec2<u32>;
const splitsRecurrentGradient = false;
const usesC = true;
const hasMemory = true;
const gateCount = 4u;

fn fromHalf(w: HalfGates) -> Gates { return Gates(unpack2x16float(w.x), unpack2x16float(w.y)); }
fn multiplyAdd(scale: f32, w: Gates, sum: Gates) -> Gates { return fma(vec4(scale), w, sum); }
fn dotGates(d: Gates, w: Gates) -> f32 { return dot(d, w); }
fn vectorOf(gates: Gates) -> vec4<f32> { return gates; }
fn gatesOf(v: vec4<f32>) -> Gates { return v; }

// h from the memory, or from what a norm made of it.
fn readOut(gates: Gates, z: f32) -> f32 {
  if (squashes) { return gates.w * safeTanh(z); }
  return gates.w * z;
}
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> {
  let c = gates.y * cPrevious + gates.x * gates.z;
  return vec2(readOut(gates, c), c);
}

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, peepholes: Gates) -> CellForward {
  var a = x + r;
  if (hasPeepholes) { a += vec4(peepholes.xy * cPrevious, 0.0, 0.0); }
  let i = sigmoid(a.x);
  var f = 1.0;
  if (forgets) { f = sigmoid(a.y); } else if (coupled) { f = 1.0 - i; }
  let g = safeTanh(a.z);
  let c = f * cPrevious + i * g;
  if (hasPeepholes) { a.w += peepholes.w * c; }
  let gates = Gates(i, f, g, sigmoid(a.w));
  return CellForward(gates, readOut(gates, c), c);
}

// The gradient of the output gate's sum, and of what h was read out of.
fn readOutBackward(gates: Gates, z: f32, dh: f32) -> vec2<f32> {
  var out = z;
  var slope = 1.0;
  if (squashes) {
    out = safeTanh(z);
    slope = 1.0 - out * out;
  }
  let o = gates.w;
  return vec2(dh * out * o * (1.0 - o), dh * o * slope);
}
// From the gradients of the output gate's sum and of c_t.
fn gatesBackward(gates: Gates, cPrevious: f32, dOutput: f32, dcTotal: f32, peepholes: Gates) -> CellBackward {
  let i = gates.x;
  let f = gates.y;
  let g = gates.z;
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

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, peepholes: Gates) -> CellBackward {
  let read = readOutBackward(gates, c, dh);
  var dcTotal = dc + read.y;
  if (hasPeepholes) { dcTotal += read.x * peepholes.w; }
  return gatesBackward(gates, cPrevious, read.x, dcTotal, peepholes);
}
