// What a cell hands to a strategy for one unit of one step; see src/recurrent/cells/cell.ts.
struct CellForward { gates: Gates, h: f32, c: f32 }
struct CellBackward { dGates: Gates, dRecurrent: Gates, dhPrevious: f32, dcPrevious: f32 }

// Where the n-th matrix of packed weights begins; a row of peepholes is its last if the cell has them.
fn forwardMatrix(n: u32) -> u32 { return laneStart(n, (params.H + select(1u, 2u, hasPeepholes)) * params.H); }
fn backwardMatrix(n: u32) -> u32 { return laneStart(n, (params.H + select(0u, 1u, hasPeepholes)) * params.H); }
fn peepholesAt(i: u32) -> Gates {
  if (hasPeepholes) { return weightAt(i); }
  return Gates();
}
