// A two-phase cell's results; see `TwoPhaseArithmetic` in src/recurrent/cells/arithmetic.ts.
struct FirstForward { gates: Gates, operand: f32 }
struct SecondForward { gates: Gates, h: f32 }
struct FirstBackward { gates: Gates, dhPrevious: f32, kept: f32 }
struct SecondBackward { gates: Gates, dhPrevious: f32 }
