// For cells whose h is not read out of a memory that could be normalised: never called, but named by the step.
fn readOut(gates: Gates, z: f32) -> f32 { return 0.0; }
fn readOutBackward(gates: Gates, z: f32, dh: f32) -> vec2<f32> { return vec2<f32>(); }
fn gatesBackward(gates: Gates, cPrevious: f32, dOutput: f32, dcTotal: f32, perUnit: Gates) -> CellBackward { return CellBackward(); }
