// Bit patterns of infinity and NaN, for which WGSL has no literals, and ln x where log need not give them.
fn infinity() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}
fn noNumber() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}
fn logarithm(x: f32) -> f32 {
  if (x < 0.0) { return noNumber(); }
  if (x == 0.0) { return -infinity(); }
  return log(x);
}
