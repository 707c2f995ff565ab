/** Rows of a table by id, and the gradient of the table. Letters: N ids, V rows and E columns of the table. */
import { defineKernel, elementGroups, rowGroups } from "./kernel.ts";

/** y_n = weight[ids_{firstId+n}]. Ids must be below V. */
export const embeddingGather = defineKernel({
  name: "embedding-gather",
  sources: ["lib/linear-index", "embedding-gather"],
  bindings: {
    weight: { access: "read", type: "f32", shape: "[V, E]" },
    ids: { access: "read", type: "u32", shape: "[firstId + N]" },
    y: { access: "read_write", type: "f32", shape: "[N, E]" },
  },
  params: { rows: "u32", columns: "u32", firstId: "u32" },
  workgroups: ({ rows, columns }) => elementGroups(rows * columns),
});

/**
 * dWeight_v (+)= Σ_n [ids_{firstId+n} = v] dy_n. In the shader, each row of dWeight looks for its ids: WGSL has no
 * float atomics, and they would add in a different order each time.
 */
export const embeddingScatter = defineKernel({
  name: "embedding-scatter",
  sources: ["lib/linear-index", "embedding-scatter"],
  bindings: {
    dy: { access: "read", type: "f32", shape: "[N, E]" },
    ids: { access: "read", type: "u32", shape: "[firstId + N]" },
    dWeight: { access: "read_write", type: "f32", shape: "[V, E]" },
  },
  params: { rows: "u32", columns: "u32", vocabulary: "u32", accumulate: "u32", firstId: "u32" },
  workgroups: ({ columns, vocabulary }) => rowGroups(vocabulary * Math.ceil(columns / 256)),
});
