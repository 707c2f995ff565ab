// Saturating functions with clamped arguments: on some drivers exp and tanh return NaN for large ones.
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-clamp(x, -40.0, 40.0))); }
fn safeTanh(x: f32) -> f32 { return tanh(clamp(x, -15.0, 15.0)); }
fn safeExp(x: f32) -> f32 { return exp(clamp(x, -80.0, 80.0)); }
