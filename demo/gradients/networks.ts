/** The four networks as the page shows them, and the names of the settings. */
import type { CellName } from "../../examples/adding.ts";
import type { Line } from "../plot.ts";

export interface Network {
  readonly cell: CellName;
  readonly title: string;
  readonly about: string;
  /** The style of its curve, distinguished by more than colour. */
  readonly line: Line;
}

export const networks: readonly Network[] = [
  { cell: "tanh", title: "Plain RNN", about: "tanh", line: { colour: "--tanh", width: 2, dash: [7, 4] } },
  { cell: "IRNN", title: "IRNN", about: "ReLU, identity", line: { colour: "--irnn", width: 2, dash: [2, 3] } },
  { cell: "GRU", title: "GRU", about: "gates", line: { colour: "--gru", width: 1.5 } },
  { cell: "LSTM", title: "LSTM", about: "gates, memory", line: { colour: "--lstm", width: 3 } },
];

export const labels = {
  steps: "Steps",
  units: "Units",
  learningRate: "Learning rate",
  clip: "Clip",
  identityTimes: "IRNN starts at",
} as const;
