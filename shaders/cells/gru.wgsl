// Gated recurrent unit, reset after the recurrent product; equations in src/recurrent/cells/gru.ts.
override hasReset: bool = true;
// -1 where the update gate at 1 writes: z keeps, and 1 - σ(a) = σ(-a).
override updateSign: f32 = 1.0;
struct Gates { r: f32, z: f32, n: f32 }
alias HalfGates = vec2<u32>;
const splitsRecurrentGradient = true;
const hasPeepholes = false;
const usesC = true;
const hasMemory = false;
const gateCount = 3u;

fn fromHalf(w: HalfGates) -> Gates {
  let rz = unpack2x16float(w.x);
  return Gates(rz.x, rz.y, unpack2x16float(w.y).x);
}
fn multiplyAdd(scale: f32, w: Gates, sum: Gates) -> Gates {
  return Gates(fma(scale, w.r, sum.r), fma(scale, w.z, sum.z), fma(scale, w.n, sum.n));
}
fn dotGates(d: Gates, w: Gates) -> f32 { return d.r * w.r + d.z * w.z + d.n * w.n; }
fn vectorOf(gates: Gates) -> vec4<f32> { return vec4(gates.r, gates.z, gates.n, 0.0); }
fn gatesOf(v: vec4<f32>) -> Gates { return Gates(v.x, v.y, v.z); }
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2((1.0 - gates.z) * gates.n + gates.z * hPrevious, 0.0); }

fn cellForward(x: Gates, recurrent: Gates, hPrevious: f32, cPrevious: f32, peepholes: Gates) -> CellForward {
  var r = 1.0;
  if (hasReset) { r = sigmoid(x.r + recurrent.r); }
  let z = sigmoid(updateSign * (x.z + recurrent.z));
  let n = safeTanh(x.n + r * recurrent.n);
  let gates = Gates(r, z, n);
  return CellForward(gates, stateOf(gates, hPrevious, cPrevious).x, recurrent.n);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, peepholes: Gates) -> CellBackward {
  let dn = dh * (1.0 - gates.z) * (1.0 - gates.n * gates.n);
  let dr = dn * c * gates.r * (1.0 - gates.r);
  let dz = updateSign * dh * (hPrevious - gates.n) * gates.z * (1.0 - gates.z);
  return CellBackward(Gates(dr, dz, dn), Gates(dr, dz, dn * gates.r), dh * gates.z, 0.0);
}
