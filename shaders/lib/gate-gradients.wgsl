// The gradient of a unit's gates, on the recurrent side or on the input side.
fn gradientAt(at: u32, recurrent: bool) -> PackedGates {
  if (splitsRecurrentGradient && recurrent) { return dRecurrent[at]; }
  return gates[at];
}
