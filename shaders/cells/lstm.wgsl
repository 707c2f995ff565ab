// Long short-term memory; equations in src/kernels/cells/lstm.ts. Lanes of Gates: i f g o.
alias Gates = vec4<f32>;
alias HalfGates = vec2<u32>;
const splitsRecurrentGradient = false;
const usesC = true;

fn fromHalf(w: HalfGates) -> Gates { return Gates(unpack2x16float(w.x), unpack2x16float(w.y)); }
fn multiplyAdd(scale: f32, w: Gates, sum: Gates) -> Gates { return fma(vec4(scale), w, sum); }
fn dotGates(d: Gates, w: Gates) -> f32 { return dot(d, w); }

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32) -> CellForward {
  let a = x + r;
  let i = sigmoid(a.x);
  let f = sigmoid(a.y);
  let g = safeTanh(a.z);
  let o = sigmoid(a.w);
  let c = f * cPrevious + i * g;
  return CellForward(Gates(i, f, g, o), o * safeTanh(c), c);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32) -> CellBackward {
  let i = gates.x;
  let f = gates.y;
  let g = gates.z;
  let o = gates.w;
  let tanhC = safeTanh(c);
  let dcTotal = dc + dh * o * (1.0 - tanhC * tanhC);
  let dGates = Gates(
    dcTotal * g * i * (1.0 - i),
    dcTotal * cPrevious * f * (1.0 - f),
    dcTotal * i * (1.0 - g * g),
    dh * tanhC * o * (1.0 - o));
  return CellBackward(dGates, dGates, 0.0, dcTotal * f);
}
