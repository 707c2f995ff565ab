// Recurrent weights in half precision, packed by to-half; all sums are in float32.
alias Weights = HalfGates;
fn weightAt(i: u32) -> PackedGates { return fromHalf(weights[i]); }
