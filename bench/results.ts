/** The results so far, over one run or several. */
import { caseName } from "./cases.ts";
import type { Reply } from "./messages.ts";
import type { Absence, Ceiling, Report, Row } from "./report.ts";
import type { Event } from "./runner.ts";

const keyOf = ({ library, backend }: { readonly library: string; readonly backend: string }, of: string): string =>
  `${library} ${backend} ${of}`;

/** Rows and absences. A new measurement replaces the old one. */
export class Collected {
  private readonly measured = new Map<string, Row>();
  private readonly missing = new Map<string, Absence>();

  take(event: Event): void {
    if (event.kind === "row") {
      const key = keyOf(event.row, caseName(event.row));
      this.measured.set(key, event.row);
      this.missing.delete(key);
    } else if (event.kind === "absent") {
      const key = keyOf(event.absence, event.absence.case);
      this.missing.set(key, event.absence);
      // It failed after its first samples.
      this.measured.delete(key);
    }
  }

  clear(): void {
    this.measured.clear();
    this.missing.clear();
  }

  /** Rows of a case together, cases in the order in which they were first measured. */
  get rows(): readonly Row[] {
    const groups = new Map<string, Row[]>();
    for (const row of this.measured.values()) {
      const key = caseName(row);
      groups.set(key, [...(groups.get(key) ?? []), row]);
    }
    return [...groups.values()].flat();
  }

  get absent(): readonly Absence[] {
    return [...this.missing.values()];
  }
}

/** A report of all that a visit has measured. */
export class Results extends Collected {
  private matmul: Record<string, Ceiling> = {};
  private adapter = "";
  private note = "";
  private date = new Date().toISOString();
  software = false;

  constructor(
    private readonly browser: string,
    private readonly machine: string,
  ) {
    super();
  }

  open({ adapter, software, note }: Reply & { kind: "opened" }): void {
    this.adapter = adapter;
    this.software = software;
    this.note = note;
  }

  override take(event: Event): void {
    super.take(event);
    if (event.kind === "ceiling") this.matmul[event.backend] = event.ceiling;
    if (event.kind === "row") this.date = new Date().toISOString();
  }

  report(): Report {
    const { adapter, software, note, browser, date, machine, matmul, rows, absent } = this;
    return { adapter, software, note, browser, date, machine, matmul, rows, absent };
  }
}
