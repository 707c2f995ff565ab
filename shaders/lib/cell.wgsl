// What a cell hands to a strategy for one unit of one step; see src/recurrent/cells/cell.ts.
struct CellForward { gates: Gates, h: f32, c: f32 }
struct CellBackward { dGates: Gates, dRecurrent: Gates, dhPrevious: f32, dcPrevious: f32 }
