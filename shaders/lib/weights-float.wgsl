// Recurrent weights as they are.
alias Weights = Gates;
fn weightAt(i: u32) -> Gates { return weights[i]; }
