// Recurrent weights of three gates, which take the room of four.
alias Weights = vec4<f32>;
fn weightAt(i: u32) -> PackedGates { return gatesOf(weights[i]); }
