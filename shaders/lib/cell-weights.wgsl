// Where the n-th matrix of packed weights begins; the row of what a cell has by unit is its last.
fn forwardMatrix(n: u32) -> u32 { return laneStart(n, (params.H + 1u + perUnitRows) * params.H); }
fn backwardMatrix(n: u32) -> u32 { return laneStart(n, (params.H + perUnitRows) * params.H); }
fn perUnitAt(i: u32) -> Gates {
  if (perUnitRows > 0u) { return named(weightAt(i)); }
  return Gates();
}
