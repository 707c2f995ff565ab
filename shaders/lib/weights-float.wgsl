// Recurrent weights as they are.
alias Weights = PackedGates;
fn weightAt(i: u32) -> PackedGates { return weights[i]; }
