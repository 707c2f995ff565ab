// Recurrent weights as they are.
alias Weights = PackedGates;
fn unpacked(w: Weights) -> PackedGates { return w; }
fn weightAt(i: u32) -> PackedGates { return weights[i]; }
