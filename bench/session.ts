/**
 * A whole bench in one environment, a page's worker or Node. It finds the backends, runs the plan and fills the report.
 */
import { findCeiling } from "./ceiling.ts";
import { guessSeconds, preparation } from "./estimate.ts";
import { onTwoThreads, ours, type Ours } from "./ours.ts";
import type { Peers } from "./peers.ts";
import { hardwareNote, noAdapterNote, softwareNote, type Absence, type Ceiling, type Report } from "./report.ts";
import { Collected } from "./results.ts";
import { isWanted, runCases, Stopped, type Event, type Plan } from "./runner.ts";
import type { Library } from "./library.ts";
import { waysToRows } from "./streams.ts";

export interface Devices {
  readonly adapter: string;
  readonly software: boolean;
  readonly note: string;
  readonly ours: readonly Ours[];
  readonly absent: readonly Absence[];
}

/** The backends of ours that exist here. */
export async function findDevices(): Promise<Devices> {
  const cpu = await ours("cpu");
  try {
    const gpu = await ours("webgpu");
    const software = gpu.adapter.includes("(software)");
    return { adapter: gpu.adapter, software, note: software ? softwareNote : hardwareNote, ours: [gpu, cpu], absent: [] };
  } catch (error) {
    const reason = (error as Error).message;
    const absence: Absence = { library: "webgpu-rnn", backend: "webgpu", case: "", kind: "skipped", reason };
    return { adapter: `none (${reason})`, software: false, note: noAdapterNote, ours: [cpu], absent: [absence] };
  }
}

/** All that can be measured here. */
export function librariesOf({ ours }: Devices, peers: Peers): Library[] {
  const cpu = ours.find(({ backend }) => backend === "cpu")!;
  return [...ours, onTwoThreads(cpu.adapter), ...waysToRows(cpu.adapter), ...peers.libraries];
}

export interface BenchOptions {
  readonly plan: Plan;
  readonly devices: Devices;
  readonly peers: Peers;
  readonly browser: string;
  readonly machine: string;
  /** Matrix products measured earlier in this session; missing ones are measured and added. */
  readonly matmul?: Record<string, Ceiling>;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: Event) => void;
}

/** Runs the plan. A stopped run still returns a report of the rows measured until then. */
export async function bench({
  plan,
  devices,
  peers,
  browser,
  machine,
  matmul = {},
  signal,
  onEvent = () => undefined,
}: BenchOptions): Promise<Report> {
  const collected = new Collected();
  for (const absence of [...devices.absent, ...peers.absent]) collected.take({ kind: "absent", absence });
  const report = (event: Event): void => {
    collected.take(event);
    onEvent(event);
  };
  const breathe = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new Stopped("stopped");
  };
  const date = new Date().toISOString();
  try {
    const unknown = devices.ours.filter((library) => !matmul[library.backend] && plan.cases.some((of) => isWanted(plan, library, of)));
    const libraries = librariesOf(devices, peers);
    const rows = plan.cases.reduce(
      (sum, of) =>
        sum + libraries.filter((library) => isWanted(plan, library, of)).length * guessSeconds(plan.effort, of.mode, devices.software),
      0,
    );
    for (const [i, library] of unknown.entries()) {
      const { backend, device } = library;
      const say = (text: string): void =>
        report({
          kind: "progress",
          text: `${text} on ${backend}`,
          done: 0,
          of: plan.cases.length,
          left: rows + preparation * (unknown.length - i),
        });
      say("finding the fastest kernels");
      await breathe();
      await library.calibrate();
      say("measuring the best matrix product");
      await breathe();
      matmul[backend] = await findCeiling(device, breathe);
      report({ kind: "ceiling", backend, ceiling: matmul[backend] });
    }
    await runCases(plan, { libraries, ceilings: matmul, software: devices.software, signal, report });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
  }
  const { adapter, software, note } = devices;
  return { adapter, software, note, browser, date, machine, matmul, rows: collected.rows, absent: collected.absent };
}
