// Long short-term memory; equations in src/recurrent/cells/lstm.ts.
override forgets: bool = true;
override coupled: bool = false;
override hasPeepholes: bool = false;

// h from the memory, or from its normalised value.
fn readOut(gates: Gates, z: f32) -> f32 { return gates.o * memoryFunction(z); }
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> {
  let c = gates.f * cPrevious + gates.i * gates.g;
  return vec2(readOut(gates, c), c);
}

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, peepholes: Gates) -> CellForward {
  var a = Gates(x.i + r.i, x.f + r.f, x.g + r.g, x.o + r.o);
  if (hasPeepholes) {
    a.i += peepholes.i * cPrevious;
    a.f += peepholes.f * cPrevious;
  }
  let i = gateFunction(a.i);
  var f = 1.0;
  if (forgets) { f = gateFunction(a.f); } else if (coupled) { f = 1.0 - i; }
  let g = candidateFunction(a.g);
  let c = f * cPrevious + i * g;
  if (hasPeepholes) { a.o += peepholes.o * c; }
  let gates = Gates(i, f, g, gateFunction(a.o));
  return CellForward(gates, readOut(gates, c), c);
}

// The gradients of the output gate's sum and of z.
fn readOutBackward(gates: Gates, z: f32, dh: f32) -> vec2<f32> {
  let out = memoryFunction(z);
  return vec2(gateGradient(dh * out, gates.o), memoryGradient(dh * gates.o, out));
}
// The cell's gradients, from those of the output gate's sum and of c_t.
fn gatesBackward(gates: Gates, cPrevious: f32, dOutput: f32, dcTotal: f32, peepholes: Gates) -> CellBackward {
  let i = gates.i;
  let f = gates.f;
  let g = gates.g;
  var written = g;
  if (coupled) { written -= cPrevious; }
  let dInput = gateGradient(dcTotal * written, i);
  var dForget = 0.0;
  if (forgets) { dForget = gateGradient(dcTotal * cPrevious, f); }
  let dGates = Gates(dInput, dForget, candidateGradient(dcTotal * i, g), dOutput);
  var dcPrevious = dcTotal * f;
  if (hasPeepholes) { dcPrevious += dInput * peepholes.i + dForget * peepholes.f; }
  return CellBackward(dGates, dGates, 0.0, dcPrevious);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, peepholes: Gates) -> CellBackward {
  let read = readOutBackward(gates, c, dh);
  var dcTotal = dc + read.y;
  if (hasPeepholes) { dcTotal += read.x * peepholes.o; }
  return gatesBackward(gates, cPrevious, read.x, dcTotal, peepholes);
}
