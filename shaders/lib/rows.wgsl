// Distributes rows over workgroups of 64 threads (sharedRowGroups in src/kernels/kernel.ts): eight threads share a
// short row, so a workgroup takes eight short rows; a long row gets all 64 threads. All threads must call rowSum and
// rowMax, also those without a row. Each gets its row's result, computed in a fixed order.
var<workgroup> lanes: array<f32, 64>;

fn rowShare(columns: u32) -> u32 { return select(8u, 64u, columns > 256u); }

fn rowSum(value: f32, thread: u32, share: u32) -> f32 {
  lanes[thread] = value;
  workgroupBarrier();
  let first = thread / share * share;
  var total = 0.0;
  for (var i = first; i < first + share; i++) { total += lanes[i]; }
  // The next call writes lanes again.
  workgroupBarrier();
  return total;
}

fn rowMax(value: f32, thread: u32, share: u32) -> f32 {
  lanes[thread] = value;
  workgroupBarrier();
  let first = thread / share * share;
  var greatest = value;
  for (var i = first; i < first + share; i++) { greatest = max(greatest, lanes[i]); }
  workgroupBarrier();
  return greatest;
}
