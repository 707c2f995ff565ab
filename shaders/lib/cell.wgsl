// A cell's results for one unit in one step; see src/recurrent/cells/arithmetic.ts.
struct CellForward { gates: Gates, h: f32, c: Memory }
struct CellBackward { dGates: Gates, dRecurrent: Gates, dhPrevious: f32, dcPrevious: Memory }
// ∂L/∂h and ∂L/∂c for the step before.
struct Carry { h: f32, c: Memory }
