// A unit's fan-in is the number of units whose states it reads: those of its head, from `firstRead` on. It is 0 without
// a recurrent matrix.
override heads: u32 = 1u;
// The lanes are layers. Their input weights, in rows of H, lie behind the recurrent weights of all lanes.
override stacked: bool = false;
fn fanIn() -> u32 { return select(0u, params.H / heads, hasMatrix); }
fn firstRead(unit: u32) -> u32 {
  if (heads == 1u) { return 0u; }
  return unit - unit % (params.H / heads);
}

// Where the n-th matrix of packed weights begins. Its last row has the units' own parameters, if the cell has any.
fn matrixRows() -> u32 { return select(fanIn(), params.H, stacked); }
fn forwardMatrix(n: u32) -> u32 { return laneStart(n, (matrixRows() + 1u + perUnitRows) * params.H); }
fn backwardMatrix(n: u32) -> u32 { return laneStart(n, (matrixRows() + perUnitRows) * params.H); }
fn biasAt(matrix: u32, unit: u32) -> PackedGates {
  if (!hasMatrix) { return PackedGates(); }
  return weightAt(matrix + matrixRows() * params.H + unit);
}
fn perUnitAt(i: u32) -> Gates {
  if (perUnitRows > 0u) { return named(weightAt(i)); }
  return Gates();
}
