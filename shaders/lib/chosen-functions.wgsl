// The functions of gate-functions.wgsl, for layers that choose others of lib/functions.wgsl. Arguments of gates and
// candidates are clipped to ±clip, if that is not 0.
override clip: f32 = 0.0;
override gatesKind: u32 = 0u;
override gatesAlpha: f32 = 0.0;
override gatesBeta: f32 = 0.0;
override candidateKind: u32 = 1u;
override candidateAlpha: f32 = 0.0;
override candidateBeta: f32 = 0.0;
override outputKind: u32 = 1u;
override outputAlpha: f32 = 0.0;
override outputBeta: f32 = 0.0;
// Values at the ends of the clip. They are given, not computed here, so that the backward pass knows them to the last bit.
override gatesTop: f32 = 0.0;
override gatesBottom: f32 = 0.0;
override candidateTop: f32 = 0.0;
override candidateBottom: f32 = 0.0;

fn gateFunction(a: f32) -> f32 {
  if (clip > 0.0 && abs(a) >= clip) { return select(gatesBottom, gatesTop, a > 0.0); }
  return activate(gatesKind, gatesAlpha, gatesBeta, a);
}
fn gateGradient(d: f32, y: f32) -> f32 {
  if (clip > 0.0 && (y == gatesTop || y == gatesBottom)) { return 0.0; }
  return activationGradient(gatesKind, gatesAlpha, gatesBeta, d, y);
}
fn candidateFunction(a: f32) -> f32 {
  if (clip > 0.0 && abs(a) >= clip) { return select(candidateBottom, candidateTop, a > 0.0); }
  return activate(candidateKind, candidateAlpha, candidateBeta, a);
}
fn candidateGradient(d: f32, y: f32) -> f32 {
  if (clip > 0.0 && (y == candidateTop || y == candidateBottom)) { return 0.0; }
  return activationGradient(candidateKind, candidateAlpha, candidateBeta, d, y);
}
fn memoryFunction(c: f32) -> f32 { return activate(outputKind, outputAlpha, outputBeta, c); }
fn memoryGradient(d: f32, y: f32) -> f32 { return activationGradient(outputKind, outputAlpha, outputBeta, d, y); }
