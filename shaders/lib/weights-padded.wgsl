// Recurrent weights of three gates, which take the room of four.
alias Weights = vec4<f32>;
fn unpacked(w: Weights) -> PackedGates { return gatesOf(w); }
fn weightAt(i: u32) -> PackedGates { return unpacked(weights[i]); }
