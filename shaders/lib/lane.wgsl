// A lane is one of the directions, or one of the stacked layers, that a dispatch runs side by side (z of the grid). A segment
// is the steps that it runs; `first` is the number of steps before them. Each lane's share of a buffer starts at a multiple
// of 64 elements. src/recurrent/kernels/lanes.ts has the same arithmetic.

// Where the numbers of one step start in each buffer; add row · H + unit.
struct StepPlaces { t: u32, gates: u32, hPrevious: u32, hCurrent: u32, cPrevious: u32, cCurrent: u32, dy: u32 }

// Whether a row has step t. `lengths` holds the number of steps of a row without gaps. For a row with gaps it holds the
// place of the row's bits, one per step, with the top bit set.
override hasGaps: bool = false;
fn hasStep(row: u32, t: u32) -> bool {
  let steps = lengths[row];
  if (!hasGaps || steps < 0x80000000u) { return t < steps; }
  return ((lengths[(steps & 0x7fffffffu) + (t >> 5u)] >> (t & 31u)) & 1u) != 0u;
}

fn laneStart(lane: u32, size: u32) -> u32 { return lane * ((size + 63u) / 64u * 64u); }
fn isReversed(lane: u32) -> bool { return ((params.reverse >> lane) & 1u) != 0u; }

// The i-th step of the segment, in the order of computation. i = steps gives the slots after its last step.
fn stepAt(lane: u32, i: u32) -> StepPlaces {
  let size = params.B * params.H;
  let reversed = isReversed(lane);
  let done = params.first + i;
  let t = select(done, params.T - 1u - done, reversed);
  let local = select(i, params.steps - 1u - i, reversed);
  let before = select(t, t + 1u, reversed) * size;
  let after = select(t + 1u, t, reversed) * size;
  let h = laneStart(lane, params.hBase + (params.T + 1u) * size) + select(params.hBase, 0u, reversed);
  let c = laneStart(lane, (params.T + 1u) * size * memoryNumbers);
  return StepPlaces(
    t, laneStart(lane, params.steps * size) + local * size, h + before, h + after,
    c + before * memoryNumbers, c + after * memoryNumbers,
    laneStart(lane, params.T * size) + t * size);
}
