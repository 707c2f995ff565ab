// For cells that do not read h from a memory. These functions are never called, but the strategies' code names them.
fn readOut(gates: Gates, z: f32) -> f32 { return 0.0; }
fn readOutBackward(gates: Gates, z: f32, dh: f32) -> vec2<f32> { return vec2<f32>(); }
fn gatesBackward(gates: Gates, cPrevious: f32, dOutput: f32, dcTotal: f32, perUnit: Gates) -> CellBackward { return CellBackward(); }
