// Recurrent weights in half precision, packed by to-half; all sums are in float32.
alias Weights = HalfGates;
fn unpacked(w: Weights) -> PackedGates { return fromHalf(w); }
fn weightAt(i: u32) -> PackedGates { return unpacked(weights[i]); }
