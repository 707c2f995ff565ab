/** A whole bench in one environment, a page's worker or Node: finds the backends, runs the plan, fills the report. */
import type { Backend } from "webgpu-rnn";
import { findCeiling } from "./ceiling.ts";
import type { Library } from "./library.ts";
import { ours } from "./ours.ts";
import { hardwareNote, noAdapterNote, softwareNote, type Absence, type Ceiling, type Report, type Row } from "./report.ts";
import { isWanted, runCases, Stopped, type Event, type Plan } from "./runner.ts";

/** What a peer loader makes of this environment: libraries, and the reasons for those that are missing. */
export interface Peers {
  readonly libraries: readonly Library[];
  readonly absent: readonly Absence[];
}

export interface Devices {
  readonly adapter: string;
  readonly software: boolean;
  readonly note: string;
  readonly ours: readonly (Library & { readonly device: Backend })[];
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

export interface BenchOptions {
  readonly plan: Plan;
  readonly devices: Devices;
  readonly peers: Peers;
  readonly browser: string;
  readonly machine: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: Event) => void;
}

/** Runs the plan. A stopped run still gives a report, of what was measured until then. */
export async function bench({ plan, devices, peers, browser, machine, signal, onEvent = () => undefined }: BenchOptions): Promise<Report> {
  const rows: Row[] = [];
  const absent: Absence[] = [...devices.absent, ...peers.absent];
  const matmul: Record<string, Ceiling> = {};
  const report = (event: Event): void => {
    if (event.kind === "row") rows.push(event.row);
    if (event.kind === "absent") absent.push(event.absence);
    onEvent(event);
  };
  const date = new Date().toISOString();
  try {
    for (const { backend, device, ...library } of devices.ours) {
      if (!plan.cases.some((of) => isWanted(plan, { ...library, backend }, of))) continue;
      report({ kind: "progress", text: `best matrix product on ${backend}`, done: 0, of: plan.cases.length });
      matmul[backend] = await findCeiling(device, async () => {
        await new Promise((resolve) => setTimeout(resolve));
        if (signal?.aborted) throw new Stopped("stopped");
      });
      report({ kind: "ceiling", backend, ceiling: matmul[backend] });
    }
    await runCases(plan, { libraries: [...devices.ours, ...peers.libraries], ceilings: matmul, signal, report });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
  }
  const { adapter, software, note } = devices;
  return { adapter, software, note, browser, date, machine, matmul, rows, absent };
}
