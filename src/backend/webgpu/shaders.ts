/** The WGSL files, by path below `shaders/` without extension: those that most models need, and others that are loaded when needed. */
import { shaders as common } from "./wgsl/common.ts";

type Shaders = Readonly<Record<string, string>>;

interface Chunk {
  readonly files: readonly string[];
  readonly load: () => Promise<{ readonly shaders: Shaders }>;
}

/** What only some layers need. */
const chunks: readonly Chunk[] = [
  {
    files: [
      "lib/no-read-out",
      "lib/regularized",
      "lib/regularized-gradient",
      "lib/running-statistics",
      "strategies/regularized-backward",
      "strategies/regularized-forward",
    ],
    load: () => import("./wgsl/regularized.ts"),
  },
  {
    files: [
      "cells/gru-reset-before",
      "lib/two-phase",
      "strategies/loop-two-phase-backward",
      "strategies/loop-two-phase-forward",
      "strategies/two-phase-backward",
      "strategies/two-phase-forward",
    ],
    load: () => import("./wgsl/two-phase.ts"),
  },
  {
    files: ["cells/min-gru", "cells/min-lstm", "lib/scan", "strategies/scan-backward", "strategies/scan-forward"],
    load: () => import("./wgsl/scan.ts"),
  },
];

/** What not every model has: other cells, losses, optimisers, and whatever stands in none of the lists. */
const further: Chunk["load"] = () => import("./wgsl/further.ts");

/** The text of a file, undefined if there is none of this path. */
export async function shaderText(path: string): Promise<string | undefined> {
  if (path in common) return common[path];
  const { shaders } = await (chunks.find(({ files }) => files.includes(path))?.load ?? further)();
  return shaders[path];
}

/** Every file. */
export async function allShaders(): Promise<Shaders> {
  const loaded = await Promise.all([...chunks.map(({ load }) => load()), further()]);
  return Object.assign({}, common, ...loaded.map(({ shaders }) => shaders)) as Shaders;
}
