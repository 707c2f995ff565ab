// The usual functions of a cell's gates, and their gradients; y is the function's value.
fn gateFunction(a: f32) -> f32 { return sigmoid(a); }
fn gateGradient(d: f32, y: f32) -> f32 { return d * y * (1.0 - y); }
fn candidateFunction(a: f32) -> f32 { return safeTanh(a); }
fn candidateGradient(d: f32, y: f32) -> f32 { return d * (1.0 - y * y); }
fn memoryFunction(c: f32) -> f32 { return safeTanh(c); }
fn memoryGradient(d: f32, y: f32) -> f32 { return d * (1.0 - y * y); }
