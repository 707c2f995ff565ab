// Scalar LSTM with exponential gates; equations in src/recurrent/cells/slstm.ts. The gates i and f hold logarithms.
override squashesForget: bool = true;

fn logSigmoid(a: f32) -> f32 { return min(a, 0.0) - log(1.0 + safeExp(-abs(a))); }
// Whether the stabiliser comes from the step before.
fn isKept(logI: f32, logF: f32, before: Memory) -> bool { return before.n != 0.0 && logF + before.m > logI; }

fn cellForward(x: Gates, r: Gates, hPrevious: f32, before: Memory, perUnit: Gates) -> CellForward {
  let logI = x.i + r.i;
  var logF = x.f + r.f;
  if (squashesForget) { logF = logSigmoid(logF); }
  let z = safeTanh(x.z + r.z);
  let o = sigmoid(x.o + r.o);
  var m = logI;
  if (isKept(logI, logF, before)) { m = logF + before.m; }
  let i = safeExp(logI - m);
  let f = safeExp(logF + before.m - m);
  let c = f * before.c + i * z;
  let n = f * before.n + i;
  return CellForward(Gates(logI, logF, z, o), o * c / n, Memory(c, n, m));
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, before: Memory, after: Memory, dh: f32, d: Memory, perUnit: Gates) -> CellBackward {
  let i = safeExp(gates.i - after.m);
  let f = safeExp(gates.f + before.m - after.m);
  let dc = d.c + dh * gates.o / after.n;
  let dn = d.n - dh * gates.o * after.c / (after.n * after.n);
  let dI = (dc * gates.z + dn) * i;
  let dF = (dc * before.c + dn * before.n) * f;
  let dm = d.m - dI - dF;
  let kept = isKept(gates.i, gates.f, before);
  let dLogF = dF + select(0.0, dm, kept);
  var slope = 1.0;
  if (squashesForget) { slope = 1.0 - safeExp(gates.f); }
  let dGates = Gates(dI + select(dm, 0.0, kept), dLogF * slope, dc * i * (1.0 - gates.z * gates.z), dh * after.c / after.n * gates.o * (1.0 - gates.o));
  return CellBackward(dGates, dGates, 0.0, Memory(dc * f, dn * f, dLogF));
}
